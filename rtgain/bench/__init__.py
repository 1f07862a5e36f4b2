"""Benchmarks of the project, each printed as a table."""

BENCHMARKS = ("accuracy", "tracking", "findings", "speed", "callback", "gui", "match")
"""Names that ``rtgain bench`` accepts."""
