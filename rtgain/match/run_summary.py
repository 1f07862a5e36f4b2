"""Summary of the results of many pairs in constant memory: counts, distributions, and the pairs to listen to first."""

import heapq
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtgain.errors import InputError
from rtgain.match.manifest import PAIR_COLUMNS
from rtgain.match.table import Row, Table, TableError
from rtgain.number_format import format_number, format_percent

LISTED = 50
"""Pairs in each list."""

MAX_KINDS = 100
"""Kinds of findings, states and errors that are counted one by one; further ones count as `OTHER`."""

OTHER = "other"

ERROR_CHARACTERS = 100
"""Length to which an error is cut before errors are counted."""

GAIN_EDGES_DB = np.arange(-60.25, 60.5, 0.5)
RESIDUAL_EDGES_DB = np.arange(-150.0, 13.0, 3.0)
"""Edges of the histograms; values beyond them count in the first or the last bin."""


@dataclass
class Histogram:
    """Counts of values between `edges`, with the least and the greatest value."""

    edges: NDArray[np.float64]
    counts: NDArray[np.int64] = field(init=False)
    count: int = 0
    least: float = math.inf
    greatest: float = -math.inf

    def __post_init__(self) -> None:
        self.counts = np.zeros(len(self.edges) - 1, np.int64)

    def add(self, value: float) -> None:
        """Count one value."""
        step = self.edges[1] - self.edges[0]
        self.counts[min(max(int((value - self.edges[0]) // step), 0), len(self.counts) - 1)] += 1
        self.count += 1
        self.least, self.greatest = min(self.least, value), max(self.greatest, value)

    def median(self) -> float:
        """Return the center of the bin with the median; NaN without values."""
        if not self.count:
            return math.nan
        index = int(np.searchsorted(np.cumsum(self.counts), (self.count + 1) // 2))
        return float(self.edges[index] + self.edges[index + 1]) / 2.0


@dataclass
class RunSummary:
    """Summary of all rows of the results.

    Attributes:
        findings: number of pairs by kind of finding.
        states: number of pairs without an error by state.
        errors: number of failed pairs by error, without the files' names.
        worst: matched pairs with the highest residuals, the highest first.
        failed: first failed pairs.
        unmatched: first pairs without a gain.
    """

    pairs: int = 0
    failures: int = 0
    gain_db: Histogram = field(default_factory=lambda: Histogram(GAIN_EDGES_DB))
    residual_db: Histogram = field(default_factory=lambda: Histogram(RESIDUAL_EDGES_DB))
    findings: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    worst: list[Row] = field(default_factory=list)
    failed: list[Row] = field(default_factory=list)
    unmatched: list[Row] = field(default_factory=list)

    @property
    def matched(self) -> int:
        """Number of pairs with a gain."""
        return self.gain_db.count

    def to_text(self) -> str:
        """Format as lines for a terminal."""
        unmatched = self.pairs - self.matched - self.failures
        lines = [f"{_pairs(self.pairs)}: {self.matched} matched, {self.failures} failed, {unmatched} unmatched"]
        for name, values in (("gain", self.gain_db), ("residual", self.residual_db)):
            if values.count:
                least, median, greatest = (
                    format_number(value, 1) for value in (values.least, values.median(), values.greatest)
                )
                lines.append(f"{name}: {least} to {greatest} dB, median about {median} dB")
        lines += [f"finding {kind}: {_pairs(count)}" for kind, count in self.findings.most_common()]
        lines += [f"error {error}: {_pairs(count)}" for error, count in self.errors.most_common(5)]
        if self.worst:
            row = self.worst[0]
            residual_db = format_number(parse_number(row["residual_db"]), 1)
            lines.append(f"highest residual: {residual_db} dB, {row['dry']}, {row['target']}")
        return "".join(f"{line}\n" for line in lines)

    def share(self, count: int) -> str:
        """Format a number of pairs as a share of all."""
        return format_percent(count / max(self.pairs, 1), 1)


def _pairs(count: int) -> str:
    return f"{count} pair{'' if count == 1 else 's'}"


def summarize(results: Path) -> RunSummary:
    """Read the results row by row. Raises `InputError`."""
    summary = RunSummary()
    worst: list[tuple[float, int, Row]] = []
    try:
        for row in Table(results, PAIR_COLUMNS):
            _add(summary, row, worst)
    except (OSError, TableError) as error:
        raise InputError(f"--csv {results}: cannot be summarized ({error}); choose another file") from None
    summary.worst = [row for _, _, row in sorted(worst, key=lambda entry: entry[:2], reverse=True)]
    return summary


def _add(summary: RunSummary, row: Row, worst: list[tuple[float, int, Row]]) -> None:
    summary.pairs += 1
    for kind in filter(None, row.get("findings", "").split(";")):
        _count(summary.findings, kind)
    if row["error"]:
        summary.failures += 1
        _count(summary.errors, _without_names(row))
        if len(summary.failed) < LISTED:
            summary.failed.append(row)
        return
    _count(summary.states, row["state"])
    gain_db, residual_db = parse_number(row["gain_db"]), parse_number(row["residual_db"])
    if math.isnan(gain_db):
        if len(summary.unmatched) < LISTED:
            summary.unmatched.append(row)
        return
    summary.gain_db.add(gain_db)
    if not math.isnan(residual_db):
        summary.residual_db.add(residual_db)
        entry = residual_db, -summary.pairs, row
        (heapq.heappush if len(worst) < LISTED else heapq.heappushpop)(worst, entry)


def _count(counter: Counter[str], name: str) -> None:
    counter[name if name in counter or len(counter) < MAX_KINDS else OTHER] += 1


def _without_names(row: Row) -> str:
    """Return the error without names of files, numbers and remedy, so that equal errors count together."""
    text = row["error"]
    for column in PAIR_COLUMNS:
        name = row[column]
        before, found, after = text.partition(name) if name else (text, "", "")
        if found:  # with the folder before it
            text = f"{before[: before.rfind(' ') + 1]}{column}{after}"
    text = re.sub(r"\b\d+(?:[.:]\d+)*\b", "…", text.partition("; ")[0])
    return text[:ERROR_CHARACTERS]


def parse_number(cell: str) -> float:
    """Parse a number, also with the decimal comma of a spreadsheet; NaN for an empty cell."""
    try:
        return float(cell.replace(",", "."))
    except ValueError:
        return math.nan
