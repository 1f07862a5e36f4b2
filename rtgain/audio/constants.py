"""Constants shared by the effects and the kernel."""

CHUNK_FRAMES = 128
"""The kernel processes a block in chunks of at most this many frames, so that its scratch arrays have a fixed size
and fit into the processor's first-level cache."""

GAIN_RAMP_S = 0.010
"""Duration of a linear ramp after a change of a gain or a noise level."""

CROSSFADE_S = 0.020
"""Duration of a crossfade after a change of phase, delay or monitor signal."""

DENORMAL_LIMIT = 1e-30
"""Magnitudes below this (−600 dB) are set to 0 in recursive filters: denormal numbers are slow."""

FULL_SCALE = 0.9999
"""Magnitude from which a sample of a converter is at full scale: within three steps of 16 bits."""
