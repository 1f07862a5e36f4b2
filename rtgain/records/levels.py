"""Peak, RMS and loudness of one signal."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

SILENCE_DB = -200.0
"""Level in dB that stands for silence where a finite number is needed."""

METERED_SIGNALS = ("dry", "target", "matched", "difference")
"""Metered signals. The difference is target − matched."""


@dataclass(frozen=True)
class Loudness:
    """Loudness over all channels of one signal (ITU-R BS.1770-5, EBU R 128), updated every 100 ms.

    −inf for silence, NaN until it is known. All measurements restart when the first estimate is tracking, and with the
    first one after a reset of the estimate.

    Attributes:
        momentary_lufs: loudness of the last 400 ms.
        short_term_lufs: loudness of the last 3 s.
        integrated_lufs: gated loudness since the restart.
        range_lu: loudness range since the restart (EBU Tech 3342).
        true_peak_dbtp: highest true peak of all channels since the restart.
    """

    momentary_lufs: float = math.nan
    short_term_lufs: float = math.nan
    integrated_lufs: float = math.nan
    range_lu: float = math.nan
    true_peak_dbtp: float = math.nan


LOUDNESS_NAMES = tuple(field.name for field in fields(Loudness))
"""Names of the numbers of `Loudness`."""


@dataclass(frozen=True)
class Level:
    """Level of one signal now: peak and RMS per channel, loudness over all; −inf for silence.

    Attributes:
        peak_dbfs: largest magnitude since the last measurement.
        rms_dbfs: RMS of the last 300 ms, re full scale (−3.01 for a full-scale sine).
    """

    peak_dbfs: tuple[float, ...]
    rms_dbfs: tuple[float, ...]
    loudness: Loudness = Loudness()


def residual_db(levels: Mapping[str, Level]) -> float:
    """Compute the level of the difference relative to the target in dB (RMS over all channels).

    It is at least `SILENCE_DB`, and NaN while the target is silent. `levels` are those of all metered signals.
    """
    difference, target = (
        sum(10.0 ** (rms / 10.0) for rms in levels[name].rms_dbfs) for name in ("difference", "target")
    )
    if not target > 0.0:
        return math.nan
    return max(10.0 * math.log10(difference / target), SILENCE_DB) if difference else SILENCE_DB
