"""Manifest of the pairs of a batch, and the file with their results, both read row by row."""

import csv
import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from rtgain.errors import InputError
from rtgain.match.result import MatchResult
from rtgain.match.table import Row, Table, TableError
from rtgain.output.csv_writer import truncate_to_complete_rows

PAIR_COLUMNS = ("dry", "target")
RESULT_COLUMNS = (
    *(field.name for field in fields(MatchResult) if field.name not in ("channels", "filters", "response", "findings")),
    "findings",
    "error",
)


class Manifest:
    """Pairs of a CSV file with the columns ``dry,target``; file names are relative to its `folder`.

    Iteration reads the file again. Raises `InputError` if it cannot be used, also while rows are read, and if it was
    changed since.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.parent
        try:
            self._state = _file_state(path)
            self._table = Table(path, PAIR_COLUMNS)
        except (OSError, TableError) as error:
            raise self._error(error) from None
        columns = self._table.columns
        missing = [name for name in PAIR_COLUMNS if name not in columns]
        if missing:
            raise InputError(f"{path}: has no column {missing[0]!r}; its first line must name dry and target")
        if len(set(columns)) < len(columns):
            raise InputError(f"{path}: names a column twice; rename one")
        reserved = [name for name in columns if name in RESULT_COLUMNS]
        if reserved:
            raise InputError(f"{path}: the column name {reserved[0]!r} is reserved; rename it")
        self.columns = columns

    def __iter__(self) -> Iterator[Row]:
        try:
            for row in self._table:
                if _file_state(self.path) != self._state:
                    raise InputError(
                        f"{self.path}: was changed during the run; run the same command again, which matches the "
                        "pairs without a row"
                    )
                yield row
        except (OSError, TableError) as error:
            raise self._error(error) from None

    def count(self) -> int:
        """Read and check all rows. Returns their number."""
        try:
            return self._table.count()
        except (OSError, TableError) as error:
            raise self._error(error) from None

    def _error(self, error: OSError | TableError) -> InputError:
        if isinstance(error, OSError):
            return InputError(f"{self.path}: {error.strerror}; --manifest expects a CSV with columns dry,target")
        if str(error).startswith("line "):
            return InputError(f"{self.path}, {error}")
        return InputError(f"{self.path}: {error}; --manifest expects columns dry,target")


class Results:
    """CSV file with the results of a manifest: finds the rows that exist, and appends others in the same form.

    The existing rows take 17 bytes of memory each. They may have been saved by a spreadsheet, and be in any order. An
    incomplete last row, as a killed run leaves it, is removed.

    Raises `InputError` for a file with other data, and `OSError` if it cannot be read.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path = path
        self._header = [*columns, *RESULT_COLUMNS]
        self._separator, self._line_end = ",", "\n"
        pairs, failures = array("q"), bytearray()
        self._has_header = False
        if path.is_file() and path.stat().st_size:
            try:
                self._read(pairs, failures)
            except TableError as error:
                raise InputError(f"--csv {path}: not a CSV of results ({error}); choose another file") from None
        order = np.argsort(np.array(pairs, np.int64), kind="stable")
        self._pairs = array("q", np.array(pairs, np.int64)[order].tobytes())
        self._failures = np.array(failures, np.uint8)[order].tobytes()
        self._found = array("q", bytes(8 * len(order)))

    def find(self, row: Row) -> bool | None:
        """Return True if the next row of this pair that exists has failed, False if not; None if there is none."""
        pair = hash((row["dry"], row["target"]))
        first = bisect_left(self._pairs, pair)
        index = first + (self._found[first] if first < len(self._pairs) else 0)
        if index >= len(self._pairs) or self._pairs[index] != pair:
            return None
        self._found[first] += 1
        return bool(self._failures[index])

    def __enter__(self) -> Self:
        """Open the file to append rows. Raises `OSError`."""
        self._file = self.path.open("a", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(
            self._file, self._header, delimiter=self._separator, lineterminator=self._line_end
        )
        if not self._has_header:
            self._writer.writeheader()
        self._flush()
        return self

    def append(self, row: Row) -> None:
        """Write one row; it is complete in the file afterwards.

        Raises `OSError`, and `InputError` if another program has written, replaced or deleted the file.
        """
        found = self.path.stat() if self.path.exists() else None
        if found is None or not os.path.samestat(found, self._state) or found.st_size != self._state.st_size:
            raise InputError(
                f"--csv {self.path}: was changed by another program during the run; run the same command again, which "
                "matches the pairs without a row"
            )
        self._writer.writerow(row)
        self._flush()

    def _flush(self) -> None:
        self._file.flush()
        self._state = os.fstat(self._file.fileno())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        finally:
            if isinstance(error, OSError) and self.path.is_file():  # a full disk may have taken a part of a row
                truncate_to_complete_rows(self.path)

    def _read(self, pairs: "array[int]", failures: bytearray) -> None:
        table = Table(self.path, PAIR_COLUMNS, drop_incomplete=True)
        if table.encoding != "utf-8":
            raise TableError("UTF-16, to which no row is added; save it as CSV UTF-8")
        if table.columns != self._header:
            header = (",".join(self._header) + "\r\n").encode()
            with self.path.open("rb") as file:
                is_incomplete_header = header.startswith(file.read(len(header)))
            if is_incomplete_header:
                os.truncate(self.path, 0)
                return
            raise InputError(
                f"--csv {self.path}: contains other data than this manifest's results; choose another file"
            )
        for row in table:
            pairs.append(hash((row["dry"], row["target"])))
            failures.append(bool(row["error"]))
        os.truncate(self.path, table.complete_bytes)
        self._separator, self._line_end, self._has_header = table.separator, table.line_end, bool(table.complete_bytes)


def _file_state(path: Path) -> tuple[int, int, int]:
    """Return what changes when another program writes or replaces a file. Raises `OSError`."""
    state = path.stat()
    return state.st_ino, state.st_size, state.st_mtime_ns
