"""Tables in CSV files as spreadsheets save them, read row by row in constant memory."""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

Row = dict[str, str]
"""Cells of one row, by column name."""

SEPARATORS = (",", ";", "\t")
"""Separators that spreadsheets write, the standard one first."""

HEAD_BYTES = 1 << 16
"""Bytes that the first row must fit into."""


class TableError(ValueError):
    """A file is not a table; the message is the reason, and names the line where there is one."""


class Table:
    """CSV table with named columns: `columns` are the names, and iteration yields each `Row` that is not empty.

    The separator is the one with which the first row contains `required`, in lower or upper case. A line ``sep=;``
    before it is read as well.
    The text is UTF-8, with or without a byte order mark, or UTF-16 with one. Columns without a name are skipped if
    they are empty. Missing cells at the end of a row are empty cells, as Excel saves them. With `drop_incomplete`, a
    last row without a line end is skipped, as a killed program leaves it.

    Raises `OSError` if the file cannot be read, and `TableError`, also while rows are read.
    """

    def __init__(self, path: Path, required: Sequence[str], *, drop_incomplete: bool = False) -> None:
        self._path = path
        self._required = required
        self._drop_incomplete = drop_incomplete
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        self.encoding = "utf-8"
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self.encoding = "utf-16"
        self._check_text(head)
        self.separator, self._names = self._read_names(head)
        self.columns = [name for name in self._names if name]
        self._is_plain = len(self.columns) == len(self._names)
        self.line_end = "\r\n" if b"\r\n" in head else "\n"
        self.complete_bytes = 0
        """Bytes of the rows read so far that end with a line end; only for UTF-8."""

    def _check_text(self, head: bytes) -> None:
        try:
            codecs.getincrementaldecoder(self.encoding)().decode(head)
        except UnicodeDecodeError as error:
            raise _not_text(self.encoding, head[: error.start].count(b"\n") + 1) from None

    def _read_names(self, head: bytes) -> tuple[str, list[str]]:
        """Return the separator and the cells of the first row; none for an empty file."""
        text = head.decode("utf-8-sig" if self.encoding == "utf-8" else self.encoding, errors="ignore")
        first, _, rest = text.partition("\n")
        first = first.strip('\r"')
        if first.lower().startswith("sep=") and len(first) == len("sep=;"):
            return first[-1], self._first_names(rest, first[-1])
        rows = {separator: self._first_names(text, separator) for separator in SEPARATORS}
        fitting = (separator for separator in SEPARATORS if set(self._required) <= set(rows[separator]))
        separator = next(fitting, SEPARATORS[0])
        return separator, rows[separator]

    def _first_names(self, text: str, separator: str) -> list[str]:
        """Return the names in the first row that is not empty."""
        try:
            rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
            return next((self._to_names(cells) for cells in rows if any(cells)), [])
        except csv.Error as error:
            raise TableError(f"not a CSV text file ({error})") from None

    def _to_names(self, cells: Iterable[str]) -> list[str]:
        """Strip the cells; required names are found in upper case, too."""
        names = [cell.strip() for cell in cells]
        return [name.lower() if name.lower() in self._required else name for name in names]

    def __iter__(self) -> Iterator[Row]:
        for cells in self._cells():
            yield dict(zip(self._names, cells, strict=True)) if self._is_plain else self._named(cells)

    def count(self) -> int:
        """Read and check all rows. Returns their number."""
        return sum(1 for _ in self._cells())

    def _cells(self) -> Iterator[list[str]]:
        """Yield the cells of each row, one for each name."""
        self.complete_bytes = 0
        expected = len(self._names)
        with self._path.open("rb") as file:
            lines = self._lines(file)
            reader = csv.reader(lines, delimiter=self.separator, strict=True)
            is_header = True
            try:
                for cells in reader:
                    if isinstance(lines, _CountedLines):
                        if not lines.is_complete:
                            return
                        self.complete_bytes = lines.bytes
                    if is_header:
                        is_header = self._to_names(cells) != self._names
                    elif any(cells):
                        if not self._is_plain or len(cells) != expected:
                            self._complete(cells, reader.line_num)
                        yield cells
            except UnicodeDecodeError:
                raise _not_text(self.encoding, self._find_invalid_line()) from None
            except csv.Error as error:
                if self._drop_incomplete and str(error) == "unexpected end of data":  # within quotes
                    return
                raise TableError(f"not a CSV text file ({error})") from None

    def _lines(self, file: BinaryIO) -> Iterable[str]:
        if self._drop_incomplete:
            return _CountedLines(file)
        return io.TextIOWrapper(file, "utf-8-sig" if self.encoding == "utf-8" else self.encoding, newline="")

    def _complete(self, cells: list[str], line: int) -> None:
        """Add the empty cells that are missing at the end, and remove those without a column."""
        names = self._names
        surplus, cells[len(names) :] = cells[len(names) :], []
        if any(surplus) or any(name in self._required for name in names[len(cells) :]):
            raise TableError(f"line {line}: expected {len(names)} cells")
        cells += [""] * (len(names) - len(cells))
        unnamed = next((cell for name, cell in zip(names, cells, strict=True) if cell and not name), None)
        if unnamed is not None:
            raise TableError(f"line {line}: {unnamed!r} is in a column without a name; name it in the first line")

    def _named(self, cells: list[str]) -> Row:
        return {name: cell for name, cell in zip(self._names, cells, strict=True) if name}

    def _find_invalid_line(self) -> int:
        """Return the number of the first line that cannot be decoded; the last one for UTF-16."""
        lines = 0
        with self._path.open("rb") as file:
            for line in file:
                lines += 1
                try:
                    line.decode("utf-8" if self.encoding == "utf-8" else "latin-1")
                except UnicodeDecodeError:
                    break
        return lines


def _not_text(encoding: str, line: int) -> TableError:
    return TableError(f"not a CSV text file (line {line} is not {encoding.upper()}; save it as CSV UTF-8)")


class _CountedLines:
    """Lines of a file in UTF-8. `bytes` of it are read so far, and `is_complete` is True after a line end."""

    def __init__(self, file: BinaryIO) -> None:
        self.bytes = 0
        self.is_complete = False
        self._file = file

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            text = line.decode("utf-8" if self.bytes else "utf-8-sig")
            self.bytes += len(line)
            self.is_complete = line.endswith(b"\n")
            yield text
