"""The desktop app: a window over `rtgain.session.Session`. Its process never imports torch."""
