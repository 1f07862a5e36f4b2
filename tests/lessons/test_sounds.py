"""The sounds of every lesson, as its WAV files hold them, are what their captions claim: levels, phases, gaps."""

import functools
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from rtgain.lessons import LESSONS
from rtgain.lessons.beyond_one_gain import LOW_SHELF, THREE_BANDS
from rtgain.lessons.export import wav
from tests.lessons.conftest import experiment

Wave = NDArray[np.float64]

LEARNS, CANNOT_HEAR, SPECTRUM, NEVER_LANDS, NO_SINE, LIVE, BEYOND = (lesson.name for lesson in LESSONS)

TARGET_DB = 20 * np.log10(0.15)
MEASURED: set[tuple[str, str]] = set()
"""Which sounds of which lessons the tests of this file have looked at."""


@functools.cache
def heard(lesson: str, name: str) -> tuple[Wave, int]:
    """A sound as it is in its file, and its sample rate."""
    MEASURED.add((lesson, name))
    samples, rate = soundfile.read(io.BytesIO(wav(experiment(lesson).sounds[name])))
    return samples, rate


def rms_db(samples: Wave) -> float:
    return float(10 * np.log10(np.mean(samples**2)))


def sine(lesson: str, name: str) -> complex:
    """The 600 Hz of a sound: strength and phase, between its fades; it must be nothing else."""
    samples, rate = heard(lesson, name)
    middle = samples[rate // 100 : -rate // 100]
    # The sine has 300 cycles over all samples, the last of which closes the circle.
    phase = 2 * np.pi * 300 * np.arange(len(samples))[rate // 100 : -rate // 100] / (len(samples) - 1)
    found, *_ = np.linalg.lstsq(np.stack([np.sin(phase), np.cos(phase)], axis=1), middle, rcond=None)
    rest = middle - found[0] * np.sin(phase) - found[1] * np.cos(phase)
    assert rms_db(rest) < -95  # what 16 bits leave
    return complex(found[0], found[1])


def level_db(strength: complex) -> float:
    return float(20 * np.log10(abs(strength)))


def band_db(lesson: str, name: str, low_hz: float, high_hz: float) -> float:
    """The power between two frequencies."""
    samples, rate = heard(lesson, name)
    hertz = np.fft.rfftfreq(len(samples), 1 / rate)
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    return float(10 * np.log10(power[(hertz >= low_hz) & (hertz < high_hz)].mean()))


def test_the_target_of_the_first_lesson_is_the_dry_sine_at_its_gain() -> None:
    dry, target = sine(LEARNS, "dry"), sine(LEARNS, "target")
    assert abs(dry) == pytest.approx(0.5, abs=1e-4)
    assert level_db(target / dry) == pytest.approx(TARGET_DB, abs=0.02)


def test_descent_is_heard_as_the_dry_sine_at_the_gain_of_each_step() -> None:
    """By the closed form of the descent: equal steps of 0.01 · 2/π from 1, until they turn about 0.15."""
    samples, rate = heard(LEARNS, "descent")
    assert len(samples) == pytest.approx(3.01 * rate, abs=1)  # 300 steps, a hundred a second, and the start
    for time_s in (0.1, 0.5, 1.0, 2.5):
        piece = samples[round((time_s - 0.05) * rate) : round((time_s + 0.05) * rate)]
        gain = max(1 - 0.01 * (2 / np.pi) * 100 * time_s, 0.15)
        assert rms_db(piece) == pytest.approx(20 * np.log10(0.5 * gain / np.sqrt(2)), abs=0.2)


@pytest.mark.parametrize("degrees", [0, 90, 180])
def test_a_turned_target_is_as_loud_and_turned_by_what_it_says(degrees: int) -> None:
    dry, target = sine(LEARNS, "dry"), sine(CANNOT_HEAR, f"target_{degrees}")
    assert level_db(target / dry) == pytest.approx(TARGET_DB, abs=0.02)
    turned = np.angle((target / dry) * np.exp(-1j * np.pi * degrees / 180), deg=True)
    assert turned == pytest.approx(0.0, abs=0.1)


def test_what_the_waveform_loss_makes_of_90_degrees_is_next_to_nothing() -> None:
    off_db = level_db(sine(CANNOT_HEAR, "matched_90") / sine(CANNOT_HEAR, "target_90"))
    assert off_db == pytest.approx(experiment(CANNOT_HEAR).numbers["matched_90_db"], abs=3)  # 16 bits are coarse there
    assert off_db < -40


def test_what_the_spectral_loss_makes_of_90_degrees_is_as_loud_as_the_target() -> None:
    target, matched = sine(SPECTRUM, "target_90"), sine(SPECTRUM, "matched_90")
    assert level_db(matched / target) == pytest.approx(experiment(SPECTRUM).numbers["matched_90_db"], abs=0.02)
    assert abs(level_db(matched / target)) < 0.73, "within the cycle of its SGD"
    assert abs(np.angle(target / matched, deg=True)) == pytest.approx(90.0, abs=0.1)


def test_the_lowest_point_of_the_cycle_is_as_far_below_the_target_as_it_says() -> None:
    off_db = level_db(sine(NEVER_LANDS, "cycle_low") / sine(NEVER_LANDS, "target"))
    assert abs(off_db - experiment(NEVER_LANDS).numbers["cycle_low_db"]) < 0.02
    assert off_db == pytest.approx(-0.72, abs=0.01)


def test_the_music_is_turned_down_and_the_noise_is_white_and_ten_decibels_below() -> None:
    dry, rate = heard(NO_SINE, "dry")
    target, noisy = heard(NO_SINE, "target")[0], heard(NO_SINE, "noisy")[0]
    np.testing.assert_allclose(target, 0.15 * dry, atol=2**-15)
    noise = (noisy - target)[rate // 10 :]  # behind the fade with which every session begins
    # The ten decibels are below the RMS of the whole ten seconds; these are its first four.
    assert rms_db(noise) - rms_db(target) == pytest.approx(-10.0, abs=1.0)
    power = np.abs(np.fft.rfft(noise)) ** 2
    octaves_db = [10 * np.log10(power[len(power) >> k : len(power) >> (k - 1)].mean()) for k in range(1, 8)]
    assert np.ptp(octaves_db) < 0.5
    assert abs(np.corrcoef(noise, target[rate // 10 :])[0, 1]) < 0.01


def test_the_babble_has_syllables_and_pauses() -> None:
    samples, rate = heard(NO_SINE, "babble")
    pieces = samples[: len(samples) // (rate // 50) * (rate // 50)].reshape(-1, rate // 50)
    power = np.mean(pieces**2, axis=1)
    silent = power < 1e-4 * power.max()
    assert 0.2 < silent.mean() < 0.8
    begins = np.count_nonzero(np.diff(silent.astype(int)) == -1)
    assert begins >= 3, "syllables with silence between"


def test_the_xrun_is_twenty_milliseconds_of_silence_and_nothing_else() -> None:
    clean, rate = heard(LIVE, "clean")
    broken, _ = heard(LIVE, "xrun")
    other = np.flatnonzero(clean != broken)
    assert (other[-1] - other[0] + 1) / rate == pytest.approx(0.02, abs=0.001)
    assert other[0] / rate == pytest.approx(1.5, abs=0.02)
    assert np.all(broken[other] == 0.0)


def test_the_pink_noise_is_pink() -> None:
    """As much power in each octave: 3 dB less for each hertz an octave up."""
    octaves_hz = [62.5 * 2**k for k in range(1, 7)]
    densities_db = [band_db(BEYOND, "dry", hz, 2 * hz) for hz in octaves_hz]
    assert np.polyfit(np.arange(len(octaves_hz)), densities_db, 1)[0] == pytest.approx(-3.01, abs=0.5)


@pytest.mark.parametrize("name", ["bands", "bands_matched"])
def test_the_bands_are_at_their_levels(name: str) -> None:
    for (low_hz, high_hz), band in {(30, 90): -9.0, (700, 900): 4.0, (6800, 7900): -15.0}.items():
        off_db = band_db(BEYOND, name, low_hz, high_hz) - band_db(BEYOND, "dry", low_hz, high_hz)
        assert off_db == pytest.approx(band, abs=0.35), "the neighbors' skirts reach a little into it"
    np.testing.assert_allclose(heard(BEYOND, "bands_matched")[0], heard(BEYOND, "bands")[0], atol=2**-14)


def test_the_shelf_is_twelve_decibels_down_below_its_corner_and_leaves_what_is_above() -> None:
    for (low_hz, high_hz), shelf in {(25, 60): -12.0, (490, 510): -6.0, (5000, 7900): 0.0}.items():
        off_db = band_db(BEYOND, "shelf", low_hz, high_hz) - band_db(BEYOND, "dry", low_hz, high_hz)
        assert off_db == pytest.approx(shelf, abs=0.2)
    np.testing.assert_allclose(heard(BEYOND, "shelf_matched")[0], heard(BEYOND, "shelf")[0], atol=2**-14)


@pytest.mark.parametrize("path", [THREE_BANDS, LOW_SHELF], ids=lambda path: path.stem)
def test_what_plays_live_in_the_last_lesson_is_what_a_fresh_run_of_its_experiment_makes(path: Path) -> None:
    kept, rate = soundfile.read(path, always_2d=True)
    names = experiment(BEYOND).recordings[path]
    assert rate == heard(BEYOND, "dry")[1]
    for channel, name in enumerate(names):
        np.testing.assert_allclose(kept[:, channel], heard(BEYOND, name)[0], atol=1.1 * 2**-15, err_msg=name)


@pytest.mark.last
def test_no_sound_was_left_out() -> None:
    """The tests before have looked at every sound."""
    assert {(lesson.name, name) for lesson in LESSONS for step in lesson.steps for name in step.sounds} == MEASURED
