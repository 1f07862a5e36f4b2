"""Writing sound to a file while it plays, whole at every moment."""

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtgain.errors import InputError

_FORMATS = {".wav": ("RF64", "FLOAT"), ".flac": ("FLAC", "PCM_24")}
_SFC_UPDATE_HEADER_NOW = 0x1060
_SFC_RF64_AUTO_DOWNGRADE = 0x1210


class Recorder:
    """Writes float32 frames to `path` as they come: WAV, or FLAC (24 bits, clipped at full scale).

    A WAV's header is brought up to date once for every second of sound, so that what was written
    can be played after a crash; over 4 GB it becomes RF64. An existing file is overwritten.

    Raises `InputError` that names the file: an extension other than .wav and .flac, no such
    directory, no permission, disk full (in `write` and `close` too).
    """

    def __init__(self, path: str | Path, sample_rate: int, channels: int = 1) -> None:
        self.path = Path(path)
        self.frames = 0
        self._sample_rate = sample_rate
        self._frames_at_update = 0
        self._is_wav = self.path.suffix.lower() == ".wav"
        if self.path.suffix.lower() not in _FORMATS:
            raise InputError(f"{self.path}: cannot be recorded to; use a name that ends in .wav or .flac")
        container, subtype = _FORMATS[self.path.suffix.lower()]
        try:
            self.path.open("wb").close()  # says more about what is wrong than libsndfile
            self._sound = soundfile.SoundFile(
                str(self.path), "w", samplerate=sample_rate, channels=channels, format=container, subtype=subtype
            )
        except (OSError, soundfile.LibsndfileError) as error:
            raise self._failure(error) from None
        if self._is_wav:
            self._command(_SFC_RF64_AUTO_DOWNGRADE, 1)
            self._command(_SFC_UPDATE_HEADER_NOW, 0)

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append `samples`, shape (frames,) or (frames, channels), full scale at 1."""
        try:
            self._sound.write(samples)
        except (
            OSError,
            soundfile.LibsndfileError,
            AssertionError,
        ) as error:  # soundfile asserts all were written
            raise self._failure(error) from None
        self.frames += len(samples)
        if self._is_wav and self.frames - self._frames_at_update >= self._sample_rate:
            self._command(_SFC_UPDATE_HEADER_NOW, 0)
            self._frames_at_update = self.frames

    def close(self) -> None:
        """Finish the file. May be called more than once."""
        self._sound.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _command(self, command: int, value: int) -> None:
        # libsndfile's own way to do what soundfile has no method for.
        soundfile._snd.sf_command(self._sound._file, command, soundfile._ffi.NULL, value)

    def _failure(self, error: Exception) -> InputError:
        why = getattr(error, "strerror", None) or str(getattr(error, "error_string", error)).rstrip(".")
        if why in ("", "System error"):  # all that libsndfile says when the system did not take what it wrote
            why = "no space left, or the place is gone"
        return InputError(f"{self.path}: cannot be written ({why}); choose another place for it")
