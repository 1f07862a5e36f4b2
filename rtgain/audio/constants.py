"""Constants that the effects and the kernel share."""

CHUNK_FRAMES = 128
"""The kernel works through a block in pieces of at most this many frames, so that its scratch arrays
have a fixed size and stay in the processor's first cache."""

GAIN_RAMP_S = 0.010
CROSSFADE_S = 0.020

DENORMAL_LIMIT = 1e-30
"""Smaller values (−600 dB) in a recursive filter become 0: denormal numbers are slow."""
