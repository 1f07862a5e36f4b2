"""Offset between two recordings: any lengths, rates, formats and channels; late, repeated and steady sounds."""

import tracemalloc
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from rtgain.errors import InputError
from rtgain.estimation.offset.search import find_offset
from rtgain.records.recording_offset import RecordingOffset
from tests.encoded_files import encode

RATE = 44_100


def notes(seconds: float, rate: int = RATE, *, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Decaying notes of random pitch at random times, (channels, frames): music that never repeats."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * rate)
    samples = np.zeros((channels, frames + rate), np.float32)
    time_s = np.arange(rate // 2) / rate
    for start in np.cumsum(rng.uniform(0.05, 0.35, round(5 * seconds))):
        at = int(start * rate)
        if at >= frames:
            break
        hertz = 110.0 * 2.0 ** rng.uniform(0, 4)
        harmonics = sum(np.sin(2 * np.pi * hertz * k * time_s + k) / k for k in range(1, 6))
        note = harmonics * np.exp(-time_s * rng.uniform(5, 20)) + 0.3 * rng.standard_normal(len(time_s)) * np.exp(
            -time_s * 60
        )
        pan = rng.uniform(0.2, 1.0, (channels, 1))
        samples[:, at : at + len(note)] += (0.1 * pan * note).astype(np.float32)
    return samples[:, :frames]


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    soundfile.write(path, np.atleast_2d(samples).T, rate, subtype="PCM_24" if path.suffix == ".flac" else "FLOAT")
    return path


def search(dry: Path, target: Path) -> RecordingOffset:
    offset = find_offset(dry, target)
    assert offset is not None
    return offset


def frames(offset: RecordingOffset, rate: int = RATE) -> float:
    return offset.delay_s * rate


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    return notes(40, channels=2)


@pytest.mark.parametrize("seconds", [40, 6])
@pytest.mark.parametrize("later_frames", [0, 1, -1, 96_123, -96_123])
def test_offset_of_a_copy_is_exact_whichever_begins_earlier(tmp_path, music, seconds, later_frames):
    sound = music[:, : seconds * RATE]
    dry = write(tmp_path / "dry.wav", sound[:, max(0, later_frames) :])
    target = write(tmp_path / "target.wav", -0.3 * sound[:, max(0, -later_frames) :])
    offset = search(dry, target)
    assert (offset.is_found, offset.notice) == (True, None)
    assert frames(offset) == pytest.approx(later_frames, abs=0.01)


@pytest.mark.parametrize(("name", "rate"), [("t.m4a", 48_000), ("t.mp3", RATE), ("t.opus", 48_000), ("t.flac", 8_000)])
def test_offset_of_another_format_and_rate_is_within_half_a_frame(tmp_path, music, name, rate):
    sound = music[:, : 15 * RATE]
    dry = write(tmp_path / "dry.wav", sound)
    copy = soxr.resample(sound[:, 5 * RATE :].T, RATE, rate).T
    offset = search(dry, encode(tmp_path / name, 0.5 * copy, rate))
    assert (offset.is_found, offset.notice) == (True, None)
    assert frames(offset) == pytest.approx(-5 * RATE, abs=0.5)


def test_fraction_of_a_frame_is_estimated(tmp_path, music):
    spectrum = np.fft.rfft(music, 2 * music.shape[1])
    shift = np.exp(-2j * np.pi * np.fft.rfftfreq(2 * music.shape[1]) * 100.37)
    later = np.fft.irfft(spectrum * shift)[:, : music.shape[1]]
    offset = search(write(tmp_path / "dry.wav", music), write(tmp_path / "target.wav", later))
    assert frames(offset) == pytest.approx(100.37, abs=0.01)


@pytest.mark.parametrize("seconds", [40, 6])
@pytest.mark.parametrize("kind", ["anti-phase", "right inverted", "left only", "mono dry", "mono target"])
def test_channels_are_not_summed(tmp_path, music, kind, seconds):
    left, right = music[:, : seconds * RATE]
    dry, target = {
        "anti-phase": (np.stack([left, -left]), np.stack([left, -left])),
        "right inverted": (np.stack([left, right]), np.stack([left, -right])),
        "left only": (np.stack([left, right]), np.stack([left, 0 * right])),
        "mono dry": (left[None], np.stack([left, 0 * left])),
        "mono target": (np.stack([0 * left, left]), left[None]),
    }[kind]
    delayed = np.pad(0.5 * target, ((0, 0), (7_777, 0)))
    offset = search(write(tmp_path / "dry.wav", dry), write(tmp_path / "target.wav", delayed))
    assert (offset.is_found, offset.notice) == (True, None)
    assert frames(offset) == pytest.approx(7_777, abs=0.01)


@pytest.mark.parametrize("seconds", [40, 6])
def test_noise_as_strong_as_the_sound_hides_no_offset(tmp_path, music, seconds):
    sound = music[:, : seconds * RATE]
    noise = sound.std() * np.random.default_rng(1).standard_normal(sound.shape)
    target = write(tmp_path / "target.wav", np.roll(sound, 30_000, axis=1) + noise)
    offset = search(write(tmp_path / "dry.wav", sound), target)
    assert frames(offset) == pytest.approx(30_000, abs=0.5)


def test_short_overlap_at_the_ends_is_found(tmp_path):
    sound = notes(95, 8_000, seed=3)
    dry = write(tmp_path / "dry.wav", sound[:, : 50 * 8_000], 8_000)
    target = write(tmp_path / "target.wav", sound[:, 45 * 8_000 :], 8_000)
    assert frames(search(dry, target), 8_000) == pytest.approx(-45 * 8_000, abs=0.01)


def test_overlap_after_minutes_of_the_same_beat_is_found(tmp_path):
    """Clicks at the same times in both recordings correlate at many offsets; only one explains the sound."""
    rng = np.random.default_rng(7)
    sound = rng.standard_normal(300 * 8_000) * np.repeat(0.1 * rng.random(3_000), 800)
    sound[::800] += rng.choice([-1, 1], 3_000)
    dry = write(tmp_path / "dry.wav", 0.3 * sound[: 200 * 8_000], 8_000)
    target = write(tmp_path / "target.wav", 0.1 * sound[150 * 8_000 :], 8_000)
    offset = search(dry, target)
    assert frames(offset, 8_000) == pytest.approx(-150 * 8_000, abs=0.01)
    assert offset.notice is None


@pytest.mark.parametrize("kind", ["drum", "note"])
def test_one_shot_of_80_ms_is_aligned(tmp_path, kind):
    time_s = np.arange(3_528) / RATE
    noise = np.random.default_rng(5).standard_normal(3_528) * np.exp(-80 * time_s)
    shot = {"drum": noise, "note": np.sin(2 * np.pi * 220 * time_s) * np.exp(-30 * time_s) + 0.1 * noise}[kind]
    offset = search(write(tmp_path / "dry.wav", shot), write(tmp_path / "target.wav", np.pad(-shot, (100, 0))))
    assert (offset.is_found, offset.notice) == (True, None)
    assert frames(offset) == pytest.approx(100, abs=0.05)


@pytest.fixture(scope="module")
def long_recording(tmp_path_factory) -> tuple[Path, np.ndarray]:
    """Noise whose level changes ten times per second, for 35 minutes, and the ten seconds of it after 31 minutes."""
    rng = np.random.default_rng(0)
    sound = rng.standard_normal((1, 35 * 60 * 8_000), np.float32)
    sound *= np.repeat(0.1 * rng.random(sound.size // 800, np.float32), 800)
    path = write(tmp_path_factory.mktemp("long") / "long.flac", sound, 8_000)
    return path, sound[:, 31 * 60 * 8_000 :][:, : 10 * 8_000]


def test_excerpt_after_31_minutes_is_found_in_bounded_memory(tmp_path, long_recording):
    path, excerpt = long_recording
    short = write(tmp_path / "excerpt.wav", 0.5 * excerpt, 8_000)
    tracemalloc.start()
    offset = search(path, short)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert frames(offset, 8_000) == pytest.approx(-31 * 60 * 8_000, abs=0.01)
    assert peak_bytes < 100_000_000


@pytest.mark.parametrize("lead_s", [0, 60])
def test_sound_that_begins_after_31_minutes_of_silence_is_found(tmp_path, lead_s):
    sound = notes(10, 8_000, channels=2)
    dry = write(tmp_path / "dry.flac", np.pad(sound, ((0, 0), (31 * 60 * 8_000, 0))), 8_000)
    target = write(tmp_path / "target.flac", np.pad(0.5 * sound, ((0, 0), (lead_s * 8_000, 0))), 8_000)
    offset = search(dry, target)
    assert (offset.is_found, offset.notice) == (True, None)
    assert frames(offset, 8_000) == pytest.approx((lead_s - 31 * 60) * 8_000, abs=0.01)


@pytest.mark.parametrize(("beats", "is_cut"), [(20, False), (60, False), (20, True)])
def test_of_equal_beats_those_are_aligned_that_leave_least_and_it_is_said(tmp_path, beats, is_cut):
    click = np.random.default_rng(0).standard_normal(RATE // 50) * np.exp(-np.arange(RATE // 50) / 100)
    dry = np.zeros(beats * RATE // 2, np.float32)
    for beat in range(beats):
        dry[beat * RATE // 2 :][: len(click)] = 0.3 * click
    later = round(1.003 * RATE)
    delayed = np.pad(0.5 * dry, (later, 0))
    target = write(tmp_path / "target.wav", delayed[: len(dry)] if is_cut else delayed)
    offset = search(write(tmp_path / "dry.wav", dry), target)
    assert frames(offset) == pytest.approx(later, abs=0.01)
    assert offset.notice is not None
    assert offset.notice.startswith(f"{target}: its delay of 1003.0 ms is uncertain, because the sound repeats; ")


@pytest.mark.parametrize("seconds", [2, 30])
def test_delay_of_a_steady_tone_is_uncertain(tmp_path, seconds):
    time_s = np.arange(seconds * RATE) / RATE
    dry = write(tmp_path / "dry.wav", 0.5 * np.sin(2 * np.pi * 440 * time_s))
    target = write(tmp_path / "target.wav", 0.25 * np.sin(2 * np.pi * 440 * time_s - 0.5))
    offset = search(dry, target)
    assert offset.is_found
    assert frames(offset) == pytest.approx(0.5 / (2 * np.pi * 440) * RATE, abs=0.1)
    assert offset.notice is not None
    assert offset.notice.startswith(f"{target}: its delay is uncertain, because a steady tone fits many delays; ")


@pytest.mark.parametrize("seconds", [1, 8, 40])
@pytest.mark.parametrize("kind", ["another song", "noise", "silence"])
def test_unrelated_recordings_have_no_offset(tmp_path, kind, seconds):
    sound = notes(seconds)
    other = {
        "another song": notes(seconds, seed=9),
        "noise": 0.1 * np.random.default_rng(0).standard_normal(sound.shape),
        "silence": 0 * sound,
    }[kind]
    paths = write(tmp_path / "a.wav", sound), write(tmp_path / "b.wav", other)
    assert search(*paths) == search(*paths[::-1]) == RecordingOffset(0.0, is_found=False, common_s=seconds)


def test_progress_rises_to_1_and_the_search_can_be_cancelled_at_any_time(tmp_path, music):
    paths = write(tmp_path / "a.wav", music), write(tmp_path / "b.wav", np.roll(music, 999, axis=1))
    shares: list[float] = []
    assert find_offset(*paths, on_progress=shares.append) is not None
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.5 < shares[-1] == 1.0
    for cancel_at in (0, 1, len(shares) // 2, len(shares) - 1):
        asked = iter(range(cancel_at))  # exhausted at the next question
        assert find_offset(*paths, cancelled=partial(_is_exhausted, asked)) is None


def _is_exhausted(items: Iterator[int]) -> bool:
    return next(items, None) is None


def test_unreadable_recordings_are_named(tmp_path, music):
    path = write(tmp_path / "a.wav", music)
    with pytest.raises(InputError, match=r"none\.wav: does not exist"):
        find_offset(path, tmp_path / "none.wav")
