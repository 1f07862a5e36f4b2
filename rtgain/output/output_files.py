"""The files that a headless session writes: CSV while it runs; the recording, the JSON and the figure as well."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.io.recorder import Recorder
from rtgain.errors import InputError
from rtgain.output.csv_writer import CsvWriter
from rtgain.output.figures import gain_figure, png
from rtgain.records.estimate import Estimate
from rtgain.records.history import History, Summary
from rtgain.system.atomic_write import check_directory_writable, write_atomic, write_error
from rtgain.system.file_lock import lock_for_writing

STANDARD_OUTPUT = "-"


@dataclass(frozen=True)
class OutputPaths:
    """Where to write what; None for what is not wanted, ``-`` for standard output (CSV or JSON)."""

    csv: str | None = None
    json: str | None = None
    plot: str | None = None
    record: str | None = None

    def check(self, inputs: list[str]) -> None:
        """Raise `InputError` for outputs that cannot be: before anything is opened, so that nothing is lost."""
        if self.csv == self.json == STANDARD_OUTPUT:
            raise InputError("--csv - and --json -: only one of them can be standard output; name a file for the other")
        names = {"--csv": self.csv, "--json": self.json, "--plot": self.plot, "--record": self.record}
        taken = {os.path.realpath(name): "an input" for name in inputs}
        for option, name in names.items():
            if name is None or (name == STANDARD_OUTPUT and option in ("--csv", "--json")):
                continue
            path, place = Path(name), os.path.realpath(name)
            if place in taken:
                raise InputError(f"{option} {name}: is {taken[place]} too; choose another name")
            try:
                if path.is_dir():
                    raise InputError(f"{option} {name}: is a directory; name a file in it")
                if not path.parent.is_dir():
                    raise InputError(f"{option} {name}: there is no directory {path.parent}; make it first")
                if option in ("--json", "--plot"):  # which are written when all is done, maybe in an hour
                    check_directory_writable(Path(place))
            except OSError as error:
                raise write_error(f"{option} {name}", error) from None
            taken[place] = f"the file of {option}"
        if self.plot is not None and Path(self.plot).suffix.lower() != ".png":
            raise InputError(f"--plot {self.plot}: figures are PNG; end the name in .png")


class OutputFiles:
    """Open outputs. `finish` completes them; `discard` removes what a failed run had begun.

    `unread` tells that the CSV goes into a pipe whose reader has gone, and wants no more.
    """

    def __init__(self, paths: OutputPaths, sample_rate: int) -> None:
        self._paths = paths
        self._csv: CsvWriter | None = None
        self._recorder: Recorder | None = None
        self._claimed: list[IO[bytes]] = []
        self._begun: set[Path] = set()
        self.reader_gone = False
        try:
            if paths.record is not None:
                with self._open_locked(Path(paths.record)):
                    self._recorder = Recorder(Path(paths.record), sample_rate)
            if paths.csv == STANDARD_OUTPUT:
                self._csv = CsvWriter(sys.stdout, "standard output", sample_rate)
            elif paths.csv is not None:
                with self._open_locked(Path(paths.csv)):
                    self._csv = CsvWriter.create(Path(paths.csv), sample_rate)
        except InputError:
            self.discard()
            raise
        except BrokenPipeError:
            self.reader_gone = True

    def add(self, estimate: Estimate) -> None:
        """Write an estimate's row."""
        if self._csv is None or self.reader_gone:
            return
        try:
            self._csv.add(estimate)
        except BrokenPipeError:
            self.reader_gone = True

    def record(self, matched: NDArray[np.float32]) -> None:
        """Append frames of the matched signal."""
        if self._recorder is not None:
            self._recorder.write(matched)

    def finish(self, summary: Summary, history: History) -> None:
        """Complete every file. Each is tried, and the first that fails is raised.

        Raises `InputError`, or `BrokenPipeError` when who reads an output has gone.
        """
        failures: list[InputError | BrokenPipeError] = []
        for step in (
            self._close,
            lambda: self._write_json(summary),
            lambda: self._write_plot(summary, history),
        ):
            try:
                step()
            except (InputError, BrokenPipeError) as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    def discard(self) -> None:
        """Close and remove what was begun, and nothing else; a device or a pipe stays."""
        with suppress(InputError):  # a failure has been told already
            self._close()
        for place in self._begun:
            place.unlink(missing_ok=True)

    @contextmanager
    def _open_locked(self, path: Path) -> Iterator[None]:
        """Claim a file. What was empty, or is begun anew in here, is ours to remove; what somebody had in it is not."""
        place = Path(os.path.realpath(path))
        try:
            file = lock_for_writing(path)
        except OSError as error:
            raise write_error(str(path), error) from None
        if file:
            self._claimed.append(file)
        if file and os.fstat(file.fileno()).st_size == 0:
            self._begun.add(place)  # whatever comes now
        yield
        if file:
            self._begun.add(place)

    def _close(self) -> None:
        try:
            if self._recorder is not None:
                self._recorder.close()
        finally:
            if self._csv is not None:
                with suppress(BrokenPipeError):  # of the row that nobody read
                    self._csv.close()
            self._csv = self._recorder = None
            for file in self._claimed:
                file.close()

    def _write_json(self, summary: Summary) -> None:
        if self._paths.json == STANDARD_OUTPUT:
            try:
                sys.stdout.write(summary.to_json())
                sys.stdout.flush()
            except OSError as error:
                raise write_error("standard output", error) from None
        elif self._paths.json is not None:
            write_atomic(Path(self._paths.json), summary.to_json().encode())

    def _write_plot(self, summary: Summary, history: History) -> None:
        if self._paths.plot is not None:
            write_atomic(Path(self._paths.plot), png(gain_figure(history, summary)))
