"""Sound files of every format, encoded with PyAV."""

import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}

FORMATS: dict[str, tuple[str, dict[str, str]]] = {
    "wav": ("pcm_s24le", {}),
    "flac": ("flac", {}),
    "mp3": ("libmp3lame", {}),
    "ogg": ("libopus", {}),
    "opus": ("libopus", {}),
    "m4a": ("aac", {}),
    "aiff": ("pcm_s24be", {}),
    "caf": ("pcm_s24be", {}),
    "wma": ("wmav2", {}),
    "mp4": ("aac", {}),
    "mov": ("aac", {}),
    "mkv": ("aac", {}),
    "webm": ("libopus", {}),
}
"""Codec and options of the encoder, by file name extension."""


def encode(
    path: Path,
    samples: np.ndarray,
    rate: int,
    codec: str | None = None,
    *,
    container: str | None = None,
    options: Mapping[str, str] | None = None,
    container_options: Mapping[str, str] | None = None,
    bit_rate: int | None = None,
    tracks: int = 1,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write `samples`, (channels, frames) of float, in the format of the name's extension or of `codec`."""
    samples = np.atleast_2d(samples)
    codec = codec or FORMATS[path.suffix[1:].lower()][0]
    layout = LAYOUTS[len(samples)]
    with av.open(os.fspath(path), "w", format=container, container_options=dict(container_options or {})) as output:
        output.metadata.update(metadata or {})
        streams = [output.add_stream(codec, rate=rate, options=dict(options or {})) for _ in range(tracks)]
        for stream in streams:
            stream.layout = layout
            if bit_rate or codec == "wmav2":
                stream.bit_rate = bit_rate or 128_000
            formats = [item.name for item in stream.codec_context.codec.audio_formats or ()]
            wanted = [name for name in ("dbl", "dblp", "s32", "s32p", "fltp", "flt", "s16", "s16p") if name in formats]
            stream.format = wanted[0] if wanted else formats[0]
            stream.codec_context.open()
        for stream in streams:
            block = stream.codec_context.frame_size or 4096
            for start in range(0, samples.shape[1], block):
                piece = _raw(samples[:, start : start + block], stream.format.name)
                frame = AudioFrame.from_ndarray(piece, stream.format.name, layout)
                frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    return path


def _raw(samples: np.ndarray, name: str) -> np.ndarray:
    kind = {"dbl": np.float64, "flt": np.float32, "s32": np.int32, "s16": np.int16, "u8": np.uint8}[name.rstrip("p")]
    if np.issubdtype(kind, np.integer):
        bits = 8 * np.dtype(kind).itemsize
        full = 2.0 ** (bits - 1)
        samples = np.clip(np.round(samples.astype(np.float64) * full), -full, full - 1)
        if kind is np.uint8:
            samples = samples + 128
    raw = samples.astype(kind)
    return np.ascontiguousarray(raw) if name.endswith("p") else np.ascontiguousarray(raw.T).reshape(1, -1)
