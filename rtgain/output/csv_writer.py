"""CSV of estimates, written row by row."""

import math
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self, TextIO

from rtgain.records.estimate import Estimate
from rtgain.system.atomic_write import write_error

CSV_COLUMNS = (
    "time_s", "gain_true_db", "gain_est_db", "gain_opt_db", "std_db", "loss", "state", "steps", "delay_ms", "polarity",
)  # fmt: skip
"""The header of ``--csv``: one row an estimate."""

LONGEST_ROW_BYTES = 1024
"""More than any row of it takes."""


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
            raise write_error(str(path), error) from None

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
                raise write_error(self._name, error) from None

    def _write(self, text: str) -> None:
        try:
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            raise write_error(self._name, error) from None


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


def _cell(value: float, form: str) -> str:
    if not math.isfinite(value):
        return ""
    text = format(value, form)
    return text[1:] if float(text) == 0.0 and text.startswith("-") else text
