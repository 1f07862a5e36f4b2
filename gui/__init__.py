"""The desktop app: a window over `rtgain.session.session.Session`. Its process never imports torch."""
