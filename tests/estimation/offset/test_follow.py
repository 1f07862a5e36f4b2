"""Delay over time: constant, drifting, and with jumps, on music that rtgain synthesizes, speech and noise."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import sosfilt

from rtgain.audio.sources.demo import DemoSource
from rtgain.audio.sources.synthetic_speech import synthetic_speech
from rtgain.estimation.offset.follow import follow_delay
from rtgain.records.delay_curve import DelayCurve
from tests.match.drifting import at_positions, with_changing_clock, with_clock, without_frames

RATE = 16_000

HOP_S = 256 / RATE
"""Hop of the estimates."""


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    """Two unlike channels, (frames, 2)."""
    sound = DemoSource(RATE).read(18 * RATE)[0]
    return np.stack([sound[: 10 * RATE], 0.7 * sound[8 * RATE :]], axis=1)


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return synthetic_speech(RATE, 10 * RATE)[:, None]


def follow(folder: Path, dry: np.ndarray, target: np.ndarray, delay_frames: float = 0.0) -> DelayCurve:
    paths = folder / "dry.wav", folder / "target.wav"
    for path, samples in zip(paths, (dry, target), strict=True):
        soundfile.write(path, samples, RATE, subtype="FLOAT")
    curve = follow_delay(*paths, delay_frames / RATE)
    assert curve is not None
    return curve


def jumps(curve: DelayCurve) -> list[float]:
    return [jump.jump_s * RATE for jump in curve.jumps]


@pytest.mark.parametrize("kind", ["copy", "inverted right", "noise", "equalized", "late right", "one channel silent"])
def test_delay_that_does_not_move_is_one_constant_segment(tmp_path, music, kind):
    lowpass = np.array([[0.2, 0.2, 0.0, 1.0, -0.6, 0.0]])
    noise = np.random.default_rng(1).standard_normal(music.shape) * 0.3 * music.std()
    target = {
        "copy": 0.5 * music,
        "inverted right": music * [0.5, -0.5],
        "noise": music + noise,
        "equalized": sosfilt(lowpass, music, axis=0),
        "late right": np.stack([music[:, 0], np.roll(music[:, 1], 192)], axis=1),
        "one channel silent": music * [0.5, 0.0],
    }[kind]
    curve = follow(tmp_path, music, np.pad(target, ((777, 0), (0, 0))), 777)
    assert curve.is_constant
    assert curve.jumps == ()
    assert curve.drift_ppm == 0.0


@pytest.mark.parametrize(("ppm", "delay_frames"), [(60, 0), (-300, 1_234), (2_000, 0)])
def test_drift_of_a_clock_is_measured(tmp_path, music, ppm, delay_frames):
    dry = music[: 8 * RATE, :1]
    target = np.pad(-0.5 * with_clock(dry, ppm), ((delay_frames, 0), (0, 0)))
    curve = follow(tmp_path, dry, target, delay_frames + 1e-6 * ppm * 4 * RATE)  # found in the middle
    assert curve.drift_ppm == pytest.approx(ppm, abs=0.05)
    assert abs(curve.drift_ppm - ppm) < 4 * curve.drift_std_ppm
    assert curve.drift_std_ppm < 0.1
    (segment,) = curve.segments
    assert segment.delay_s * RATE == pytest.approx(delay_frames, abs=0.01)


def test_small_drift_in_noise_lies_within_its_deviation(tmp_path, speech):
    target = with_clock(speech, 20)
    noise = np.random.default_rng(2).standard_normal(target.shape) * 0.1 * speech.std()
    curve = follow(tmp_path, speech, target + noise)
    assert curve.drift_ppm == pytest.approx(20, abs=4 * curve.drift_std_ppm)
    assert curve.drift_std_ppm < 2


@pytest.mark.parametrize("sound", ["music", "speech"])
@pytest.mark.parametrize("frames", [100, 1_024])
def test_lost_buffers_are_found_to_the_frame(tmp_path, request, sound, frames):
    dry = request.getfixturevalue(sound)
    at = np.round(np.array([0.4, 3.3, 4.15, 8.6]) * RATE).astype(int)
    curve = follow(tmp_path, dry, without_frames(-0.5 * dry, at, frames), -2 * frames)
    assert jumps(curve) == pytest.approx([-frames] * 4, abs=1e-6)
    np.testing.assert_allclose([jump.time_s for jump in curve.jumps], at / RATE, atol=HOP_S)


@pytest.mark.parametrize("inserted", [4_000, 20_000])
def test_inserted_sound_is_found(tmp_path, music, inserted):
    other = np.random.default_rng(3).standard_normal((inserted, 2)) * 0.02
    at = 5 * RATE
    curve = follow(tmp_path, music, np.concatenate([music[:at], other, music[at:]]))
    assert jumps(curve) == pytest.approx([inserted], abs=1e-6)
    assert curve.jumps[0].time_s == pytest.approx(5, abs=2 / RATE)


def test_jump_of_a_drifting_clock_is_found(tmp_path, music):
    dry = music[:, :1]
    target = without_frames(with_clock(dry, 150), np.array([5 * RATE]), 512)
    curve = follow(tmp_path, dry, target)
    assert curve.drift_ppm == pytest.approx(150, abs=0.2)
    assert jumps(curve) == pytest.approx([-512], abs=0.1)
    assert curve.jumps[0].time_s == pytest.approx(5 / (1 + 150e-6), abs=0.005)


@pytest.mark.parametrize(
    ("sound", "times_s", "ppm"),
    [
        ("music", [5], [60, -40]),
        ("speech", [3.5, 7], [0, 60, 0]),
        ("speech", [4], [-600, 900]),
        ("music", [2], [0, 9]),
    ],
)
def test_drift_that_changes_is_found_with_its_times_and_is_no_jump(tmp_path, request, sound, times_s, ppm):
    dry = request.getfixturevalue(sound)
    curve = follow(tmp_path, dry, -0.5 * with_changing_clock(dry, [*np.multiply(times_s, RATE), len(dry)], ppm))
    assert curve.jumps == ()
    assert [change.time_s for change in curve.drift_changes] == pytest.approx(times_s, abs=0.02)
    assert [segment.drift_ppm for segment in curve.segments] == pytest.approx(ppm, abs=0.1)
    assert curve.segments[0].delay_s * RATE == pytest.approx(0, abs=0.01)


def test_jump_next_to_a_changing_drift_is_found_as_well(tmp_path, music):
    drifting = with_changing_clock(music, [6 * RATE, len(music)], [0, 80])
    curve = follow(tmp_path, music, without_frames(drifting, np.array([3 * RATE]), 700))
    assert jumps(curve) == pytest.approx([-700], abs=0.1)
    (change,) = curve.drift_changes
    assert (change.time_s, change.after_ppm) == (pytest.approx(6, abs=0.02), pytest.approx(80, abs=0.2))


@pytest.mark.parametrize("period_s", [20, 60])
@pytest.mark.parametrize("sound", ["music", "noise"])
def test_drift_that_changes_smoothly_is_followed(tmp_path, request, sound, period_s):
    if sound == "noise":
        dry = 0.1 * np.random.default_rng(5).standard_normal((60 * RATE, 1))
    else:
        dry = np.tile(request.getfixturevalue(sound), (4, 1))
    times_s = np.arange(len(dry)) / RATE

    def delay_frames(time_s: np.ndarray) -> np.ndarray:
        return 6 * np.sin(2 * np.pi * time_s / period_s)

    positions = np.clip(np.arange(len(dry)) - delay_frames(times_s), 0, len(dry) - 1)
    curve = follow(tmp_path, dry, 0.5 * at_positions(dry, positions, half=64))
    moments_s = np.arange(0.5, len(dry) / RATE - 0.5, 0.1)
    found_frames = [RATE * curve.delay_at_s(time_s) for time_s in moments_s.tolist()]
    assert curve.jumps == ()
    np.testing.assert_allclose(found_frames, delay_frames(moments_s), atol=0.5)


@pytest.mark.parametrize("behind_s", [1.6, 2.5, 8.0])
def test_cut_behind_a_changed_drift_is_one_jump(tmp_path, behind_s):
    """A sound that repeats has more than one delay for a moment."""
    dry = np.tile(0.1 * np.random.default_rng(6).standard_normal((RATE // 2, 1)), (50, 1))
    dry += 0.2 * np.random.default_rng(7).standard_normal(dry.shape)
    target = with_changing_clock(dry, [10 * RATE, len(dry)], [-100, 200])
    cut = round((10 + behind_s) * RATE)
    curve = follow(tmp_path, dry, without_frames(target, np.array([cut]), RATE))
    assert jumps(curve) == pytest.approx([-RATE], abs=0.5)
    assert [round(change.after_ppm) for change in curve.drift_changes] == [200]


@pytest.mark.parametrize("sound", ["music", "speech"])
def test_filter_that_delays_some_frequencies_makes_no_jump(tmp_path, request, sound):
    dry = request.getfixturevalue(sound)
    target = dry
    for frequency_hz in (300, 500, 1_500):
        w = 2 * np.pi * frequency_hz / RATE  # second-order allpass of the Audio EQ Cookbook, Q 2
        b0, b1, b2 = 1 - np.sin(w) / 4, -2 * np.cos(w), 1 + np.sin(w) / 4
        target = sosfilt(np.array([[b0, b1, b2, b2, b1, b0]]) / b2, target, axis=0)
    assert follow(tmp_path, dry, target).jumps == ()


def test_echo_of_the_end_is_no_jump(tmp_path, speech):
    dry = speech.copy()
    dry[-RATE // 3 :] = 0.0
    target = dry + 0.4 * np.pad(dry, ((RATE // 5, 0), (0, 0)))[: len(dry)]
    assert follow(tmp_path, dry, target).jumps == ()


def test_unrelated_recording_is_not_explained(tmp_path, music, speech):
    curve = follow(tmp_path, music[:, :1], speech)
    assert curve.explained_share < 0.3


def test_cancelled_analysis_returns_nothing(tmp_path, speech):
    follow(tmp_path, speech, speech)
    assert follow_delay(tmp_path / "dry.wav", tmp_path / "target.wav", 0.0, cancelled=lambda: True) is None
