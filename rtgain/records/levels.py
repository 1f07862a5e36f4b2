"""Peak, RMS and loudness of one signal."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """How loud a signal is now. −inf for silence, NaN for what is not known yet.

    Attributes:
        peak_dbfs: the largest sample since the last reading.
        rms_dbfs: root mean square of the last 300 ms, re full scale (a full-scale sine has −3.01).
        lufs: momentary loudness, of the last 400 ms (ITU-R BS.1770-4), updated every 100 ms.
    """

    peak_dbfs: float = math.nan
    rms_dbfs: float = math.nan
    lufs: float = math.nan
