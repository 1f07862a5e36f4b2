"""The project's benchmarks: each makes a table that anybody can make again."""

BENCHMARKS = ("accuracy", "tracking", "speed", "callback", "gui")
"""What ``rtgain bench`` knows by name."""
