"""Recordings that are decoded once into memory, for programs that read them several times."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from rtgain.audio.io.decoder import Block, Decoder

MAX_DECODED_BYTES = 1 << 26
"""Memory for the samples of each recording (64 MiB: 6 minutes in mono at 44.1 kHz); longer ones are streamed."""


class DecodedRecording:
    """Samples of a recording in memory, with the attributes and methods of its `Decoder`. They cannot be written."""

    def __init__(self, decoder: Decoder, samples: Block) -> None:
        self.path = decoder.path
        self.sample_rate = decoder.sample_rate
        self.channels = decoder.channels
        self.frames = decoder.frames
        self.layout = decoder.layout
        self.channel_names = decoder.channel_names
        self.is_float = decoder.is_float
        self.audio_streams = decoder.audio_streams
        self.description = decoder.description
        self.position = 0
        self._samples = samples

    def copy(self) -> "DecodedRecording":
        """Return another reader of the same samples, at their start."""
        other = object.__new__(DecodedRecording)
        other.__dict__.update(self.__dict__, position=0)
        return other

    def read(self, frames: int) -> Block:
        """Return the next `frames` frames, shape (channels, frames); fewer only at the end."""
        block = self._samples[:, self.position : self.position + frames]
        self.position += block.shape[1]
        return block

    def seek(self, frame: int) -> None:
        """Continue with `frame` >= 0; at or beyond the end, reads return nothing."""
        if frame < 0:
            raise ValueError(f"frame {frame} is before the start")
        self.position = min(frame, self.frames)

    def close(self) -> None:
        """Do nothing: other readers may use the samples."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_recordings: dict[Path, DecodedRecording] = {}
_lock = threading.Lock()


@contextmanager
def decoded_in_memory(*paths: Path) -> Iterator[None]:
    """Let `open_recording` return these files from memory, decoded once, inside the ``with`` statement.

    Recordings above `MAX_DECODED_BYTES` are not decoded. Raises `InputError`, as `Decoder` does.
    """
    added = []
    try:
        for path in dict.fromkeys(paths):
            with Decoder(path) as decoder:
                if decoder.channels * decoder.frames * np.float32().itemsize > MAX_DECODED_BYTES:
                    continue
                samples = decoder.read(decoder.frames)
                samples.flags.writeable = False
                recording = DecodedRecording(decoder, samples)
            with _lock:
                if path not in _recordings:
                    _recordings[path] = recording
                    added.append(path)
        yield
    finally:
        with _lock:
            for path in added:
                del _recordings[path]


def open_recording(path: Path) -> Decoder | DecodedRecording:
    """Open a sound file, from memory if it is decoded there (`decoded_in_memory`). Raises `InputError`."""
    with _lock:
        recording = _recordings.get(path)
    return Decoder(path) if recording is None else recording.copy()
