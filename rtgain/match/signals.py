"""Match of two signals in memory, for notebooks."""

import html
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from numpy.typing import ArrayLike, NDArray

from rtgain.config.api_arguments import checked_sample_rate, sound_array
from rtgain.errors import InputError
from rtgain.match.result import MatchResult
from rtgain.number_format import format_number, format_result
from rtgain.system.shutdown_signals import deferred_interrupt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rtgain.match.details import MatchDetails

POLARITIES = {1: "normal", -1: "inverted"}


@dataclass(frozen=True)
class SignalMatch:
    """Match of two signals; a notebook displays it as a sentence, the findings, and a table.

    Attributes:
        result: numbers of the match, as ``rtgain match --json`` writes them.
    """

    result: MatchResult
    _details: "MatchDetails" = field(repr=False)
    _signals: tuple[NDArray[np.float32], NDArray[np.float32]] = field(repr=False)

    def plot(self) -> "Figure":
        """Draw gain, spectra and difference as ``rtgain match --plot`` does; a notebook displays the figure."""
        from rtgain.match.figure import match_figure

        with _as_files(*self._signals, self._details.sample_rate) as (dry, target):
            return match_figure(self._details, dry, target)

    def _repr_html_(self) -> str:
        from rtgain.match.report import match_sentence, remainder_sentence

        sentence = f"{match_sentence(self.result)} {remainder_sentence(self.result)}".rstrip()
        findings = "".join(f"<li>{html.escape(finding['text'])}</li>" for finding in self.result.findings)
        rows = "".join(f"<tr><th>{name}</th><td>{html.escape(text)}</td></tr>" for name, text in self._rows())
        return f"<p>{html.escape(sentence)}</p><ul>{findings}</ul><table>{rows}</table>"

    def _rows(self) -> list[tuple[str, str]]:
        result = self.result
        rows = [("gain", format_result(result.gain_db, result.std_db, result.state))]
        if result.delay_ms is not None:
            rows.append(("delay", f"{format_number(result.delay_ms, 3)} ms"))
            rows.append(("polarity", POLARITIES.get(result.polarity, "unknown")))
        if result.residual_db is not None:
            rows.append(("residual", f"{format_number(result.residual_db, 1)} dB"))
        if result.lufs_dry is not None and result.lufs_target is not None:
            levels = (format_number(level, 2) for level in (result.lufs_dry, result.lufs_target))
            rows.append(("loudness", "dry {} LUFS, target {} LUFS".format(*levels)))
        return rows


def match_signals(dry: ArrayLike, target: ArrayLike, sample_rate: int) -> SignalMatch:
    """Estimate gain, delay and polarity between two signals as ``rtgain match`` does between two files.

    Each signal has the shape ``(frames,)`` or ``(channels, frames)``, with full scale at ±1; their lengths may differ.
    `sample_rate` in Hz is that of both. Raises `InputError` for signals that cannot be compared.
    An interruption (SIGINT) ends the session before it raises `KeyboardInterrupt`.
    """
    from rtgain.match.pair import match_pair

    signals = sound_array("match: dry", dry), sound_array("match: target", target)
    sample_rate = checked_sample_rate("match", sample_rate)
    with deferred_interrupt() as interrupted, _as_files(*signals, sample_rate) as (dry_path, target_path):
        details = match_pair(dry_path, target_path, cancelled=interrupted)
    assert details is not None  # a cancelled match has raised KeyboardInterrupt
    return SignalMatch(details.result, details, signals)


@contextmanager
def _as_files(dry: NDArray[np.float32], target: NDArray[np.float32], sample_rate: int) -> Iterator[tuple[Path, Path]]:
    """Write both signals to temporary WAV files (32 bit float), and remove them at the end.

    A message of an `InputError` about these files names the signals instead.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder) / "dry.wav", Path(folder) / "target.wav"
        for path, samples in zip(paths, (dry, target), strict=True):
            soundfile.write(path, samples.T, sample_rate, subtype="FLOAT")
        try:
            yield paths
        except InputError as error:
            message = str(error)
            for path in paths:
                message = message.replace(str(path), path.stem)
            raise InputError(f"match: {message}") from None
