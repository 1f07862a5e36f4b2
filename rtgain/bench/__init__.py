"""Benchmarks of the project, each printed as a table."""

BENCHMARKS = ("accuracy", "tracking", "speed", "callback", "gui", "eq")
"""Names that ``rtgain bench`` accepts."""
