"""Recorder: readable at any time during the recording, and failures are one error line."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtgain.audio.io.recorder import Recorder
from rtgain.errors import InputError

SAMPLES = np.random.default_rng(0).uniform(-1.5, 1.5, 100_077).astype(np.float32)


def test_wav_preserves_every_bit_also_beyond_full_scale(tmp_path: Path) -> None:
    with Recorder(tmp_path / "a.WAV", 44_100) as recorder:
        for start in range(0, len(SAMPLES), 1000):
            recorder.write(SAMPLES[start : start + 1000])
        assert recorder.frames == len(SAMPLES)
    samples, rate = soundfile.read(tmp_path / "a.WAV", dtype="float32")
    assert rate == 44_100
    np.testing.assert_array_equal(samples, SAMPLES)
    assert (tmp_path / "a.WAV").read_bytes()[:4] == b"RIFF"  # RF64 only if needed, because fewer programs read it


def test_flac_preserves_24_bits_clipped_at_full_scale(tmp_path: Path) -> None:
    with Recorder(tmp_path / "a.flac", 48_000) as recorder:
        recorder.write(SAMPLES)
    samples, _ = soundfile.read(tmp_path / "a.flac", dtype="float64")
    np.testing.assert_allclose(samples, np.clip(SAMPLES, -1, 1), rtol=0, atol=2**-23)


@pytest.mark.parametrize(("name", "clipped"), [("a.flac", 4), ("a.wav", 0)])
def test_samples_that_a_flac_clips_are_counted(tmp_path: Path, name: str, clipped: int) -> None:
    with Recorder(tmp_path / name, 48_000, channels=2) as recorder:
        recorder.write(np.array([[1.0, -1.0], [1.5, -0.2], [-2.0, 3.0]], np.float32))
        recorder.write(np.array([[0.1, -1.1], [1.000_01, 0.0]], np.float32))
    assert (recorder.clipped_samples, recorder.peak) == (clipped, 3.0)


def test_wav_can_be_played_up_to_the_last_second_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with Recorder(path, 8_000) as recorder:
        assert soundfile.info(path).frames == 0
        for block in np.array_split(SAMPLES, 40):
            recorder.write(block)
            readable, _ = soundfile.read(path, dtype="float32")
            assert recorder.frames - 8_000 < len(readable) <= recorder.frames
            np.testing.assert_array_equal(readable, SAMPLES[: len(readable)])


@pytest.mark.parametrize("name", ["a.mp3", "a", "a.wav.txt"])
def test_other_extensions_are_rejected_with_the_supported_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"a.*: recordings are WAV or FLAC; .*\.wav or \.flac"):
        Recorder(tmp_path / name, 48_000)
    assert not list(tmp_path.iterdir())


def test_unwritable_path_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").mkdir()
    for path in (tmp_path / "a.wav", tmp_path / "none" / "a.wav"):
        with pytest.raises(InputError) as caught:
            Recorder(path, 48_000)
        assert str(caught.value).startswith(f"{path}: cannot be written (")


def test_full_disk_is_one_error_line(tmp_path: Path) -> None:
    """A limit on the file size simulates a full disk: both fail in the same system call."""
    program = (
        "import resource, signal, sys, numpy\n"
        "from rtgain.audio.io.recorder import Recorder\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "recorder = Recorder(sys.argv[1], 48_000)\n"
        "try:\n"
        "    while True: recorder.write(numpy.zeros(5_000, numpy.float32))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "recorder.close()"
    )
    path = tmp_path / "a.wav"
    result = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert result.stdout.startswith(f"InputError {path}: cannot be written (")
    assert (result.stdout.count("\n"), result.stderr) == (1, "")
