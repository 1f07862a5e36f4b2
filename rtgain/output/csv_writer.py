"""CSV of estimates, written row by row."""

import math
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self, TextIO

from rtgain.config.names import CHANNEL_NAMES
from rtgain.records.estimate import Estimate
from rtgain.system.atomic_write import write_error

CSV_COLUMNS = (
    "time_s", "gain_true_db", "gain_est_db", "gain_opt_db", "std_db", "loss", "state", "steps", "delay_ms", "polarity",
    "gain_left_db", "gain_right_db", "polarity_left", "polarity_right",
)  # fmt: skip
"""Header of ``--csv``, which has one row per estimate. The last four cells of a row are empty unless it is stereo."""

_CHUNK_BYTES = 65536


class CsvWriter:
    """Writer of the CSV of estimates; each row is complete in the file as soon as it is added.

    Raises `InputError` if the file cannot be created or written (a full disk), and `BrokenPipeError` if it is a pipe
    whose reading end is closed (EPIPE).
    """

    def __init__(self, file: TextIO, name: str, sample_rate: int) -> None:
        """Write to an open `file`; messages call it `name`."""
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
        """Close the file, unless it is standard output. If that fails, an incomplete last row is removed."""
        if self._file is not sys.stdout:
            try:
                self._file.close()
            except OSError as error:
                with suppress(OSError):  # a disk that rejects a row may reject this as well
                    truncate_to_complete_rows(Path(self._name))
                raise write_error(self._name, error) from None

    def _write(self, text: str) -> None:
        try:
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            raise write_error(self._name, error) from None


def complete_rows_bytes(path: Path) -> int:
    """Length of the complete rows of a file in bytes, up to its last line end. Raises `OSError`."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - _CHUNK_BYTES)
            file.seek(start)
            line_end = file.read(end - start).rfind(b"\n")
            if line_end >= 0:
                return start + line_end + 1
            end = start
        return 0


def truncate_to_complete_rows(path: Path) -> None:
    """Remove an incomplete last row, as a killed or failed run leaves it, from a regular file. Raises `OSError`."""
    if path.is_file():
        os.truncate(path, complete_rows_bytes(path))


def csv_row(estimate: Estimate, sample_rate: int) -> str:
    """Format one row: times to 1 µs, levels to 10⁻⁶ dB, empty cells for unknown numbers."""
    gains_db, polarities = estimate.channel_gains_db, estimate.channel_polarities
    is_stereo = len(gains_db) == len(CHANNEL_NAMES)
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
        *((_cell(gain_db, ".6f") for gain_db in gains_db) if is_stereo else ("", "")),
        *(map(str, polarities) if is_stereo else ("", "")),
    )
    return ",".join(cells) + "\n"


def _cell(value: float, form: str) -> str:
    if not math.isfinite(value):
        return ""
    text = format(value, form)
    return text[1:] if float(text) == 0.0 and text.startswith("-") else text
