"""Output files of a headless session: CSV and recording while it runs; JSON and figure at its end."""

import math
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.io.recorder import Recorder
from rtgain.errors import InputError
from rtgain.number_format import format_number
from rtgain.output.csv_writer import CsvWriter
from rtgain.output.figures import gain_figure, png
from rtgain.records.equalizer_text import format_equalizer
from rtgain.records.estimate import Estimate
from rtgain.records.history import History, Summary
from rtgain.records.learned_equalizer import LearnedEqualizer
from rtgain.system.atomic_write import check_directory_writable, write_atomic, write_error
from rtgain.system.file_lock import lock_for_writing

STANDARD_OUTPUT = "-"


@dataclass(frozen=True)
class OutputPaths:
    """Paths of the outputs; None for an output that is not requested, ``-`` for standard output (texts only)."""

    csv: str | None = None
    json: str | None = None
    plot: str | None = None
    record: str | None = None
    eq_out: str | None = None

    def check(self, inputs: Iterable[str]) -> None:
        """Raise `InputError` for impossible outputs, or if one would overwrite an input; it opens nothing."""
        printed = [f"{option} -" for option, name in self._texts.items() if name == STANDARD_OUTPUT]
        if len(printed) > 1:
            raise InputError(f"{' and '.join(printed)}: only one can be standard output; name a file for the other")
        owners = {os.path.realpath(name): "an input" for name in inputs}
        for option, name in (self._texts | {"--plot": self.plot, "--record": self.record}).items():
            if name is None or (name == STANDARD_OUTPUT and option in self._texts):
                continue
            path, resolved = Path(name), os.path.realpath(name)
            if resolved in owners:
                raise InputError(f"{option} {name}: is also {owners[resolved]}; choose another name")
            try:
                if path.is_dir():
                    raise InputError(f"{option} {name}: is a directory; name a file in it")
                if not path.parent.is_dir():
                    raise InputError(f"{option} {name}: the directory {path.parent} does not exist; create it first")
                if option in ("--json", "--plot", "--eq-out"):  # written at the end of the run, perhaps hours later
                    check_directory_writable(Path(resolved))
            except OSError as error:
                raise write_error(f"{option} {name}", error) from None
            owners[resolved] = f"the file of {option}"
        if self.plot is not None and Path(self.plot).suffix.lower() != ".png":
            raise InputError(f"--plot {self.plot}: figures are PNG; use a name that ends in .png")

    @property
    def prints_text(self) -> bool:
        """True if an output goes to standard output."""
        return STANDARD_OUTPUT in self._texts.values()

    @property
    def _texts(self) -> dict[str, str | None]:
        """The outputs that can be standard output, by option."""
        return {"--csv": self.csv, "--json": self.json, "--eq-out": self.eq_out}


class OutputFiles:
    """Open outputs. `finish` completes them; `discard` removes the files of a failed run.

    `pipe_closed` is True if the CSV goes to a pipe whose reading end is closed (EPIPE).
    `notices` are messages about complete files, for the user.
    """

    def __init__(self, paths: OutputPaths, sample_rate: int, channels: int = 1) -> None:
        """`channels` is the number of channels of the recording."""
        self._paths = paths
        self._csv: CsvWriter | None = None
        self._recorder: Recorder | None = None
        self._locks: list[IO[bytes]] = []
        self._created: set[Path] = set()
        self.pipe_closed = False
        self.notices: list[str] = []
        try:
            if paths.record is not None:
                with self._open_locked(Path(paths.record)):
                    self._recorder = Recorder(Path(paths.record), sample_rate, channels)
            if paths.csv == STANDARD_OUTPUT:
                self._csv = CsvWriter(sys.stdout, "standard output", sample_rate)
            elif paths.csv is not None:
                with self._open_locked(Path(paths.csv)):
                    self._csv = CsvWriter.create(Path(paths.csv), sample_rate)
        except InputError:
            self.discard()
            raise
        except BrokenPipeError:
            self.pipe_closed = True

    def add(self, estimate: Estimate) -> None:
        """Write the row of an estimate."""
        if self._csv is None or self.pipe_closed:
            return
        try:
            self._csv.add(estimate)
        except BrokenPipeError:
            self.pipe_closed = True

    def record(self, matched: NDArray[np.float32]) -> None:
        """Append frames of the matched signal, shape (channels, frames)."""
        if self._recorder is not None:
            self._recorder.write(np.ascontiguousarray(matched.T))

    def finish(
        self,
        summary: Summary,
        history: History,
        learned: LearnedEqualizer | None = None,
        *,
        is_interrupted: bool = False,
    ) -> None:
        """Complete every file. All are tried; the first error is raised. `learned` is for ``--eq-out``.

        Without it, that output is an error, but only a notice if the user has interrupted the run.

        Raises `InputError`, or `BrokenPipeError` if the reading end of an output's pipe is closed (EPIPE).
        """
        errors: list[InputError | BrokenPipeError] = []
        for step in (
            self._close,
            lambda: self._write_json(summary),
            lambda: self._write_plot(summary, history),
            lambda: self._write_equalizer(learned, is_interrupted),
        ):
            try:
                step()
            except (InputError, BrokenPipeError) as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def discard(self) -> None:
        """Close all files, and remove those that this run has created or emptied; devices and pipes stay."""
        with suppress(InputError):  # the error has been reported already
            self._close()
        for path in self._created:
            path.unlink(missing_ok=True)

    @contextmanager
    def _open_locked(self, path: Path) -> Iterator[None]:
        """Lock a file while the ``with`` statement opens it.

        `discard` may remove the file if it was empty before, or once it has been opened successfully; otherwise it
        still holds the user's content.
        """
        resolved = Path(os.path.realpath(path))
        try:
            file = lock_for_writing(path)
        except OSError as error:
            raise write_error(str(path), error) from None
        if file:
            self._locks.append(file)
        if file and os.fstat(file.fileno()).st_size == 0:
            self._created.add(resolved)  # even if opening it fails
        yield
        if file:
            self._created.add(resolved)

    def _close(self) -> None:
        try:
            if self._recorder is not None:
                self._recorder.close()
                if self._recorder.clipped_samples:
                    self.notices.append(_clipping_notice(self._recorder))
                elif self._recorder.peak_notice is not None:
                    self.notices.append(self._recorder.peak_notice)
        finally:
            if self._csv is not None:
                with suppress(BrokenPipeError):  # of the row that was not read
                    self._csv.close()
            self._csv = self._recorder = None
            for file in self._locks:
                file.close()

    def _write_json(self, summary: Summary) -> None:
        if self._paths.json is not None:
            write_text(self._paths.json, summary.to_json())

    def _write_plot(self, summary: Summary, history: History) -> None:
        if self._paths.plot is not None:
            write_atomic(Path(self._paths.plot), png(gain_figure(history, summary)))

    def _write_equalizer(self, learned: LearnedEqualizer | None, is_interrupted: bool) -> None:
        name = self._paths.eq_out
        if name is None:
            return
        if learned is not None:
            write_text(name, format_equalizer(learned.equalizer))
        elif is_interrupted:
            self.notices.append(f"--eq-out {name}: not written, because the run ended before an equalizer was learned")
        else:
            raise InputError(f"--eq-out {name}: no equalizer was learned, because nothing matched")


def write_text(name: str, text: str) -> None:
    """Write a file, or standard output for the name ``-``. Raises `InputError`, or `BrokenPipeError` (EPIPE)."""
    if name != STANDARD_OUTPUT:
        write_atomic(Path(name), text.encode())
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        raise write_error("standard output", error) from None


def _clipping_notice(recorder: Recorder) -> str:
    peak_dbfs = format_number(20.0 * math.log10(recorder.peak), 1)
    return (
        f"{recorder.path}: {recorder.clipped_samples} samples above full scale were clipped (peak {peak_dbfs} dBFS); "
        "use a name that ends in .wav to keep them"
    )
