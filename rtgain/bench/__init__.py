"""Benchmarks of the project, each printed as a table."""

BENCHMARKS = ("accuracy", "tracking", "findings", "speed", "callback", "eq", "gui", "match")
"""Names that ``rtgain bench`` accepts."""
