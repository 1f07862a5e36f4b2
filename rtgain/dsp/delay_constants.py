"""Constants of all delay estimations, free of torch: the search for an offset runs where torch is not loaded."""

WHITENING = 0.75
"""Exponent of the phase transform in a search: 1 weights all bins equally, noise too; 0 only by level."""

MAX_SNR = 1e3
"""Signal-to-noise ratio to which the weight of a bin is limited: coherence beyond it is rounding."""

FLAT_DELAY_BAND = 0.6
"""Share of the Nyquist frequency up to which fractional delays and converters' filters have a constant delay."""

MIN_POWER_SHARE = 0.01
"""Power of a channel relative to the loudest one from which it counts for the coherent fraction (−20 dB)."""

MIN_PEAK_TO_RMS = 4.0
"""Ratio of the correlation's peak to its RMS above which the delay is unambiguous.

Chance among 4,096 lags reaches 3. Recordings and their copies reach 11 to 35, and 1.4 to 1.8 in a nearly silent
opening. With noise at −20 dB they reach 2 to 10. A held note that locked at a delay 100 ms off had 1.1.
"""
