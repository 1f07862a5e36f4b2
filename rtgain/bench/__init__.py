"""The project's benchmarks: each makes a table that anybody can make again."""

BENCHES = ("accuracy", "tracking", "headless", "callback", "window")
"""What ``rtgain bench`` knows by name."""
