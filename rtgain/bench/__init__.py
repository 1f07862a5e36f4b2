"""Benchmarks of the project, each printed as a table."""

BENCHMARKS = ("accuracy", "tracking", "speed", "callback", "gui", "match")
"""Names that ``rtgain bench`` accepts."""
