"""Recording to a sound file that is readable at any time during the recording."""

import math
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtgain.errors import InputError
from rtgain.number_format import format_number

_FORMATS = {".wav": ("RF64", "FLOAT"), ".flac": ("FLAC", "PCM_24")}
FLAC_PEAK_MAX = 1.0 + 2.0**-16
"""Largest magnitude that FLAC holds; the excess over full scale (−96 dBFS) is half a step of 16 bits."""

_SFC_UPDATE_HEADER_NOW = 0x1060
_SFC_RF64_AUTO_DOWNGRADE = 0x1210


class Recorder:
    """Writes float32 frames to a file: WAV, or FLAC (24 bits, clipped at full scale).

    `clipped_samples` counts the samples that a FLAC has lost to clipping, and `peak` is the largest magnitude written.

    The header of a WAV is updated once per second of audio, so that the recording is readable after a crash. Above
    4 GB the file becomes RF64. An existing file is overwritten.

    Raises `InputError` with the name of the file if the extension is not .wav or .flac, the directory does not exist,
    permission is missing or the disk is full (also in `write` and `close`).
    """

    def __init__(self, path: str | Path, sample_rate: int, channels: int = 1) -> None:
        self.path = Path(path)
        self.frames = 0
        self.clipped_samples = 0
        self.peak = 0.0
        self._sample_rate = sample_rate
        self._frames_at_update = 0
        self._is_wav = self.path.suffix.lower() == ".wav"
        if self.path.suffix.lower() not in _FORMATS:
            raise InputError(f"{self.path}: recordings are WAV or FLAC; use a name ending in .wav or .flac")
        container, subtype = _FORMATS[self.path.suffix.lower()]
        try:
            self.path.open("wb").close()  # its error messages are more specific than those of libsndfile
            self._sound = soundfile.SoundFile(
                str(self.path), "w", samplerate=sample_rate, channels=channels, format=container, subtype=subtype
            )
        except (OSError, soundfile.LibsndfileError) as error:
            raise self._failure(error) from None
        if self._is_wav:
            self._command(_SFC_RF64_AUTO_DOWNGRADE, 1)
            self._command(_SFC_UPDATE_HEADER_NOW, 0)

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append `samples`, shape (frames,) or (frames, channels); full scale is 1."""
        try:
            self._sound.write(samples)
        except (
            OSError,
            soundfile.LibsndfileError,
            AssertionError,
        ) as error:  # soundfile asserts that all frames were written
            raise self._failure(error) from None
        self.frames += len(samples)
        peak = float(np.abs(samples).max(initial=0.0))
        self.peak = max(self.peak, peak)
        if not self._is_wav and peak > FLAC_PEAK_MAX:
            self.clipped_samples += int(np.count_nonzero(np.abs(samples) > FLAC_PEAK_MAX))
        if self._is_wav and self.frames - self._frames_at_update >= self._sample_rate:
            self._command(_SFC_UPDATE_HEADER_NOW, 0)
            self._frames_at_update = self.frames

    @property
    def peak_notice(self) -> str | None:
        """Line for the user about peaks above full scale; None without any."""
        if self.peak <= FLAC_PEAK_MAX:
            return None
        peak_dbfs = format_number(20.0 * math.log10(self.peak), 1)
        return (
            f"{self.path}: peaks of {peak_dbfs} dBFS are above full scale, where players clip; "
            "use --level-match estimate to attenuate the louder signal"
        )

    def close(self) -> None:
        """Finish and close the file. May be called more than once."""
        self._sound.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _command(self, command: int, value: int) -> None:
        # soundfile has no method for libsndfile commands.
        soundfile._snd.sf_command(self._sound._file, command, soundfile._ffi.NULL, value)

    def _failure(self, error: Exception) -> InputError:
        reason = getattr(error, "strerror", None) or str(getattr(error, "error_string", error)).rstrip(".")
        if reason in ("", "System error"):  # text of libsndfile for any failed system call
            reason = "no space left, or the directory was removed"
        return InputError(f"{self.path}: cannot be written ({reason}); choose another location")
