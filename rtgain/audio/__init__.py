"""Real time: rings, the compiled kernel, sources, devices and drivers. Nothing here imports torch."""
