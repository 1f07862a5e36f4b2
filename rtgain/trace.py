"""Estimates over time: the CSV, the JSON summary, and what the window plots."""

import json
import math
import os
import secrets
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self, TextIO

import numpy as np
from numpy.typing import NDArray

from rtgain.errors import InputError
from rtgain.estimation.estimate import ESTIMATE_FIELDS, Estimate, State

CSV_COLUMNS = (
    "time_s", "gain_true_db", "gain_est_db", "gain_opt_db", "std_db", "loss", "state", "steps", "delay_ms", "polarity",
)  # fmt: skip
"""The header of ``--csv``: one row an estimate."""

LONGEST_ROW_BYTES = 1024
"""More than any row of it takes."""

SETTLED_DB = 0.1
"""An estimate this near to the reference, for good, has settled."""

HISTORY_S = 20.0
"""What the window plots, back from now."""

GAP_S = 0.5
"""Estimates further apart than their neighbors by more than this have a gap between them: some were left out."""

KEPT = 30_000
"""Estimates that are kept for an export: ten minutes of them at the usual hop."""


@dataclass(frozen=True)
class History:
    """The newest estimates as arrays of one length, oldest first; NaN where a number is not known."""

    time_s: NDArray[np.float64]
    gain_true_db: NDArray[np.float64]
    gain_est_db: NDArray[np.float64]
    gain_opt_db: NDArray[np.float64]
    std_db: NDArray[np.float64]
    loss: NDArray[np.float64]
    least_squares_db: NDArray[np.float64]
    bound_db: NDArray[np.float64]

    def parted(self) -> Self:
        """The same with one more estimate in the middle of each gap, all NaN, for a line to break there.

        A gap is longer by more than `GAP_S` than what is before it or after it, whichever is shorter: the hop may
        be seconds, and change.
        """
        step_s = np.diff(self.time_s)
        if len(step_s) < 2 or step_s.max() <= GAP_S:
            return self
        aside_s = np.concatenate([[math.inf], step_s, [math.inf]])
        gaps = np.flatnonzero(step_s > np.minimum(aside_s[:-2], aside_s[2:]) + GAP_S)
        columns = np.insert(np.stack(list(vars(self).values())), gaps + 1, math.nan, axis=1)
        columns[0, gaps + 1 + np.arange(len(gaps))] = self.time_s[gaps] + step_s[gaps] / 2
        return type(self)(*columns)


@dataclass(frozen=True)
class Summary:
    """The object of ``--json``; None where a number is not known."""

    version: str
    input: str
    sample_rate: int
    duration_s: float
    loss: str
    optimizer: str
    gain_db: float | None
    gain_linear: float | None
    std_db: float | None
    delay_ms: float | None
    polarity: int
    state: str
    rmse_db: float | None
    settle_s: float | None
    estimates: int
    frames: int
    dropped_frames: int
    xruns: int
    realtime_factor: float | None
    steps_per_second: float | None

    def to_json(self) -> str:
        """The summary as text, one line a field."""
        return json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"


class Trace:
    """Takes estimates one by one and keeps what is asked of them later: the newest `KEPT`, or all with `whole`.

    What is not `whole` takes constant memory, from the beginning.
    """

    def __init__(self, sample_rate: int, *, whole: bool = False) -> None:
        self._sample_rate = sample_rate
        self._whole = whole
        self._rows = np.full((2 * KEPT, len(ESTIMATE_FIELDS)), np.nan)
        self._end = 0
        self.last: Estimate | None = None
        self.estimates = 0
        self.steps = 0
        self._squared_error = 0.0
        self._tracked = 0
        self._settled_since_s: float | None = None

    def add(self, estimate: Estimate) -> None:
        """Take the next estimate."""
        time_s = estimate.center_frame / self._sample_rate
        self.last = estimate
        self.estimates += 1
        self.steps += estimate.steps
        error_db = estimate.gain_est_db - estimate.gain_true_db
        if estimate.state is State.TRACKING and math.isfinite(error_db):
            self._squared_error += error_db**2
            self._tracked += 1
        if not abs(error_db) <= SETTLED_DB:
            self._settled_since_s = None
        elif self._settled_since_s is None:
            self._settled_since_s = time_s
        if self._end == len(self._rows):
            self._make_room()
        self._rows[self._end] = estimate.to_row()
        self._end += 1

    @property
    def rmse_db(self) -> float | None:
        """Root mean square error against the reference over the estimates that are tracking."""
        return math.sqrt(self._squared_error / self._tracked) if self._tracked else None

    @property
    def settle_s(self) -> float | None:
        """The time of the first estimate from which on all were within 0.1 dB of the reference."""
        return self._settled_since_s

    def history(self, last_s: float = math.inf) -> History:
        """The estimates kept, or those of the `last_s` seconds, as arrays of the caller's own."""
        rows = self._newest
        centers = rows[:, ESTIMATE_FIELDS.index("center_frame")]
        if rows.size:
            rows = rows[np.searchsorted(centers, centers[-1] - last_s * self._sample_rate) :]
        columns = dict(zip(ESTIMATE_FIELDS, rows.T.copy(), strict=True))
        columns["time_s"] = columns["center_frame"] / self._sample_rate
        return History(**{field.name: columns[field.name] for field in fields(History)})

    def kept(self) -> NDArray[np.float64]:
        """The estimates kept, oldest first, as rows of `Estimate.to_row`, ``(estimates, fields)``: a copy."""
        return self._newest.copy()

    @property
    def _newest(self) -> NDArray[np.float64]:
        """The rows kept, oldest first, always in one piece: a window shows the last of them thirty times a second."""
        return self._rows[0 if self._whole else max(0, self._end - KEPT) : self._end]

    def _make_room(self) -> None:
        if self._whole:
            self._rows = np.concatenate([self._rows, np.full_like(self._rows, np.nan)])
        else:
            self._rows[:KEPT] = self._rows[-KEPT:]
            self._end = KEPT


class CsvWriter:
    """Writes the contract's CSV row by row; each row is whole in the file as soon as it is added.

    Raises `InputError` when the file cannot be created or written (a full disk), and `BrokenPipeError` when it
    is a pipe whose reader has gone.
    """

    def __init__(self, file: TextIO, name: str, sample_rate: int) -> None:
        """Write to an open `file`; `name` is what messages call it."""
        self._file = file
        self._name = name
        self._sample_rate = sample_rate
        self._write(",".join(CSV_COLUMNS) + "\n")

    @classmethod
    def create(cls, path: Path, sample_rate: int) -> Self:
        """Write to a new file at `path`."""
        try:
            return cls(path.open("w", encoding="utf-8", newline=""), str(path), sample_rate)
        except OSError as error:
            raise not_written(str(path), error) from None

    def add(self, estimate: Estimate) -> None:
        """Append one row."""
        self._write(csv_row(estimate, self._sample_rate))

    def close(self) -> None:
        """Close the file, unless it is standard output. What did not fit of the last row is not left in it."""
        if self._file is not sys.stdout:
            try:
                self._file.close()
            except OSError as error:
                _cut_to_whole_rows(Path(self._name))
                raise not_written(self._name, error) from None

    def _write(self, text: str) -> None:
        try:
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            raise not_written(self._name, error) from None


def _cut_to_whole_rows(path: Path) -> None:
    with suppress(OSError):  # the disk that would not take a row may take nothing at all
        if path.is_file():
            with path.open("r+b") as file:
                start = max(0, file.seek(0, os.SEEK_END) - LONGEST_ROW_BYTES)
                file.seek(start)
                file.truncate(start + file.read().rfind(b"\n") + 1)


def csv_row(estimate: Estimate, sample_rate: int) -> str:
    """One row of the CSV: times to a microsecond, levels to 10⁻⁶ dB, empty where a number is not known."""
    cells = (
        f"{estimate.center_frame / sample_rate:.6f}",
        _cell(estimate.gain_true_db, ".6f"),
        _cell(estimate.gain_est_db, ".6f"),
        _cell(estimate.gain_opt_db, ".6f"),
        _cell(estimate.std_db, ".6f"),
        _cell(estimate.loss, ".6g"),
        estimate.state.label,
        str(estimate.steps),
        _cell(1e3 * estimate.delay_frames / sample_rate, ".6f"),
        str(estimate.polarity),
    )
    return ",".join(cells) + "\n"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all; a device or a pipe is just written to.

    What is half-written has a name beside it that nobody can have guessed, so it is no link that others laid there.
    Raises `InputError`, or `BrokenPipeError` for a pipe whose reader has gone.
    """
    place = Path(os.path.realpath(path))  # a link goes on leading there
    part = place.with_name(f".rtgain-{secrets.token_hex(8)}.part")
    try:
        if place.exists() and not place.is_file():
            place.write_bytes(content)
        else:
            with part.open("xb") as file:
                file.write(content)
            part.replace(place)
    except OSError as error:
        raise not_written(str(path), error) from None
    finally:
        with suppress(OSError):  # mostly that it is not there any more
            part.unlink()


def require_room_beside(place: Path) -> None:
    """Raise the `OSError` that `write_whole` would meet in the directory of `place`, as far as that is known now."""
    if place.is_file() or not place.exists():
        with tempfile.TemporaryFile(dir=place.parent):
            pass


def known(value: float) -> float | None:
    """`value`, or None where it is not finite: JSON has no NaN."""
    return value if math.isfinite(value) else None


def _cell(value: float, form: str) -> str:
    if not math.isfinite(value):
        return ""
    text = format(value, form)
    return text[1:] if float(text) == 0.0 and text.startswith("-") else text


def not_written(name: str, error: OSError) -> InputError | BrokenPipeError:
    """What to raise for a file that could not be written; a pipe whose reader has gone is nobody's mistake."""
    if isinstance(error, BrokenPipeError):
        return error
    return InputError(f"{name}: cannot be written ({error.strerror}); choose another place or make room")
