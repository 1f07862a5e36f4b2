"""Peak, RMS and loudness of one signal."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """Level of one signal now; −inf for silence, NaN before the first measurement.

    Attributes:
        peak_dbfs: largest magnitude since the last measurement.
        rms_dbfs: RMS of the last 300 ms, re full scale (−3.01 for a full-scale sine).
        lufs: momentary loudness of the last 400 ms (ITU-R BS.1770-4), updated every 100 ms.
    """

    peak_dbfs: float = math.nan
    rms_dbfs: float = math.nan
    lufs: float = math.nan
