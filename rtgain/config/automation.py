"""The reference gain over time, out of a CSV of breakpoints."""

import csv
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtgain.errors import InputError

COLUMNS = ["time_s", "gain_db"]
MAX_ROWS = 1_000_000
GAIN_RANGE_DB = (-120.0, 60.0)


def load_automation(path: Path, sample_rate: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Breakpoints as (frames, gains in dB), in order of time; two at one frame make a step.

    The file has a header ``time_s,gain_db`` and one row a breakpoint. Raises `InputError`, which names the line.
    """
    frames: list[int] = []
    gains_db: list[float] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = [name.strip() for name in next(rows, [])]
            if header != COLUMNS:
                raise InputError(f"{path}: the first line must be {','.join(COLUMNS)}")
            for row in rows:
                if not row:
                    continue
                time_s, gain_db = _breakpoint(path, rows.line_num, row)
                if frames and round(time_s * sample_rate) < frames[-1]:
                    raise InputError(f"{path}, line {rows.line_num}: earlier than the line above; sort by time_s")
                if len(frames) == MAX_ROWS:
                    raise InputError(f"{path}: more than {MAX_ROWS} rows; thin the automation out")
                frames.append(round(time_s * sample_rate))
                gains_db.append(gain_db)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; --automation wants a CSV of {','.join(COLUMNS)}") from None
    except (ValueError, csv.Error) as error:
        raise InputError(f"{path}: no CSV text ({error}); --automation wants {','.join(COLUMNS)}") from None
    if not frames:
        raise InputError(f"{path}: has no rows; give at least one {','.join(COLUMNS)}")
    return np.array(frames, dtype=np.int64), np.array(gains_db)


def _breakpoint(path: Path, line: int, row: list[str]) -> tuple[float, float]:
    try:
        time_s, gain_db = (float(cell) for cell in row)
    except ValueError:
        raise InputError(f"{path}, line {line}: two numbers are expected, time_s,gain_db") from None
    low, high = GAIN_RANGE_DB
    if not (math.isfinite(time_s) and 0.0 <= time_s <= 1e7):
        raise InputError(f"{path}, line {line}: time_s must be from 0 to 10000000 seconds")
    if not low <= gain_db <= high:
        raise InputError(f"{path}, line {line}: gain_db must be from {low:g} to {high:g}")
    return time_s, gain_db
