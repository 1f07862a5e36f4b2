"""Recordings in memory: the samples of the decoder, read once."""

from pathlib import Path

import av
import numpy as np
import pytest

from rtgain.audio.io import decoded
from rtgain.audio.io.decoded import DecodedRecording, decoded_in_memory, open_recording
from rtgain.audio.io.decoder import Decoder
from rtgain.match.pair import match_pair
from tests.match.recordings import demo, write


def test_samples_in_memory_are_those_of_the_decoder_from_any_position(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 30_000)).astype(np.float32)
    path = write(tmp_path / "a.wav", noise.T)
    with decoded_in_memory(path), open_recording(path) as memory, Decoder(path) as file:
        assert isinstance(memory, DecodedRecording)
        for name in ("path", "sample_rate", "channels", "frames", "layout", "channel_names", "is_float", "description"):
            assert getattr(memory, name) == getattr(file, name)
        for start, count in ((0, 5), (12_345, 7_000), (29_990, 100), (30_000, 1), (40_000, 1)):
            memory.seek(start)
            file.seek(start)
            np.testing.assert_array_equal(memory.read(count), noise[:, start : start + count])
            np.testing.assert_array_equal(file.read(count), noise[:, start : start + count])
            assert memory.position == file.position
        with open_recording(path) as other:  # readers do not move each other
            assert (other.position, memory.position) == (0, 30_000)
        memory.seek(0)
        with pytest.raises(ValueError, match="read-only"):
            memory.read(1)[...] = 1.0
    with open_recording(path) as file:
        assert isinstance(file, Decoder)


def test_recording_above_the_limit_is_streamed(tmp_path, monkeypatch):
    path = write(tmp_path / "a.wav", np.zeros(1000))
    monkeypatch.setattr(decoded, "MAX_DECODED_BYTES", 3999)
    with decoded_in_memory(path), open_recording(path) as file:
        assert isinstance(file, Decoder)


def test_match_decodes_each_recording_once(tmp_path, monkeypatch):
    opened: list[str] = []
    open_file = av.open

    def counted(name: str, *arguments: object, **options: object) -> object:
        opened.append(Path(name).name)
        return open_file(name, *arguments, **options)

    monkeypatch.setattr(av, "open", counted)
    music = demo(0.2)
    paths = [write(tmp_path / "dry.wav", music), write(tmp_path / "target.wav", music / 2)]
    details = match_pair(*paths)
    assert details is not None
    assert details.result.gain_db == pytest.approx(20 * np.log10(0.5), abs=1e-3)
    assert opened == ["dry.wav", "target.wav"]
    assert {estimate.steps for estimate in details.estimates} == {0}  # closed forms, no descent
