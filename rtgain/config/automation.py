"""Automation: reference gain over time, read from a CSV of breakpoints."""

import csv
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtgain.config.names import GAIN_RANGE_DB, MAX_DURATION_S
from rtgain.errors import InputError

COLUMNS = ["time_s", "gain_db"]
MAX_ROWS = 1_000_000


def load_automation(path: Path, sample_rate: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Read breakpoints as (frames, gains in dB), each ``(rows,)``, in order of time; two at one frame make a step.

    The file has a header ``time_s,gain_db`` and one row per breakpoint. Raises `InputError` that names the line.
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
                    raise InputError(f"{path}, line {rows.line_num}: earlier than the previous line; sort by time_s")
                if len(frames) == MAX_ROWS:
                    raise InputError(f"{path}: more than {MAX_ROWS} rows; reduce the number of breakpoints")
                frames.append(round(time_s * sample_rate))
                gains_db.append(gain_db)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; --automation expects a CSV of {','.join(COLUMNS)}") from None
    except (ValueError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV text file ({error}); --automation expects {','.join(COLUMNS)}") from None
    if not frames:
        raise InputError(f"{path}: has no rows; give at least one of {','.join(COLUMNS)}")
    return np.array(frames, dtype=np.int64), np.array(gains_db)


def _breakpoint(path: Path, line: int, row: list[str]) -> tuple[float, float]:
    try:
        time_s, gain_db = (float(cell) for cell in row)
    except ValueError:
        raise InputError(f"{path}, line {line}: expected two numbers, time_s,gain_db") from None
    low, high = GAIN_RANGE_DB
    if not (math.isfinite(time_s) and 0.0 <= time_s <= MAX_DURATION_S):
        raise InputError(f"{path}, line {line}: time_s must be from 0 to {MAX_DURATION_S:.0f} seconds")
    if not low <= gain_db <= high:
        raise InputError(f"{path}, line {line}: gain_db must be from {low:g} to {high:g}")
    return time_s, gain_db
