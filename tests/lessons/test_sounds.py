"""Sounds of every lesson, as stored in the WAV files: levels, phases and gaps agree with the captions."""

import functools
import io
from collections.abc import Callable

import numpy as np
import pyloudnorm
import pytest
import soundfile
from numpy.typing import NDArray

from rtgain.config.reference_equalizer import ReferenceEqualizer
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.content.filters import THREE_FILTERS, TWO_PEAKS
from rtgain.lessons.export import wav
from rtgain.records.reference_equalizer import to_filters
from tests.lessons.conftest import experiment

Wave = NDArray[np.float64]

DESCENT, WAVEFORM, SPECTRAL, OPTIMIZERS, REAL_SIGNALS, REAL_TIME, FILTERS, LOUDNESS = (
    lesson.name for lesson in LESSONS
)

TARGET_DB = 20 * np.log10(0.15)
Sound = tuple[str, str]
"""Lesson and name of a sound."""

MEASURED: set[Sound] = set()
"""Sounds that the tests of this file measure, as declared by `measures`."""

READ: set[Sound] = set()
"""Sounds that the present test has read."""


def measures(*sounds: Sound) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Declare the sounds that a test measures. The test fails unless it reads exactly these."""
    MEASURED.update(sounds)

    def decorate(test: Callable[[], None]) -> Callable[[], None]:
        @functools.wraps(test)
        def checked() -> None:
            READ.clear()
            test()
            assert set(sounds) == READ

        return checked

    return decorate


def read_sound(lesson: str, name: str) -> tuple[Wave, int]:
    """Samples of a sound as stored in its file, and its sample rate."""
    READ.add((lesson, name))
    return _stored_sound(lesson, name)


@functools.cache
def _stored_sound(lesson: str, name: str) -> tuple[Wave, int]:
    samples, rate = soundfile.read(io.BytesIO(wav(experiment(lesson).sounds[name])))
    return samples, rate


def rms_db(samples: Wave) -> float:
    return float(10 * np.log10(np.mean(samples**2)))


def sine(lesson: str, name: str) -> complex:
    """Complex amplitude of a 600 Hz sine between its fades. The sound must contain nothing else."""
    samples, rate = read_sound(lesson, name)
    middle = samples[rate // 100 : -rate // 100]
    # The sine has 300 cycles over all samples; the last sample completes the last cycle.
    phase = 2 * np.pi * 300 * np.arange(len(samples))[rate // 100 : -rate // 100] / (len(samples) - 1)
    found, *_ = np.linalg.lstsq(np.stack([np.sin(phase), np.cos(phase)], axis=1), middle, rcond=None)
    remainder = middle - found[0] * np.sin(phase) - found[1] * np.cos(phase)
    assert rms_db(remainder) < -95  # quantization to 16 bits
    return complex(found[0], found[1])


def level_db(amplitude: complex) -> float:
    return float(20 * np.log10(abs(amplitude)))


def band_db(lesson: str, name: str, low_hz: float, high_hz: float) -> float:
    """Mean power between two frequencies in dB."""
    samples, rate = read_sound(lesson, name)
    hertz = np.fft.rfftfreq(len(samples), 1 / rate)
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    return float(10 * np.log10(power[(hertz >= low_hz) & (hertz < high_hz)].mean()))


@measures((DESCENT, "dry"), (DESCENT, "target"))
def test_the_target_of_the_first_lesson_is_the_dry_sine_at_its_gain() -> None:
    dry, target = sine(DESCENT, "dry"), sine(DESCENT, "target")
    assert abs(dry) == pytest.approx(0.5, abs=1e-4)
    assert level_db(target / dry) == pytest.approx(TARGET_DB, abs=0.02)


@measures((DESCENT, "descent"))
def test_the_descent_clip_is_the_dry_sine_at_the_gain_of_each_step() -> None:
    """The descent has equal steps of 0.01 · 2/π from 1, until it oscillates around 0.15."""
    samples, rate = read_sound(DESCENT, "descent")
    assert len(samples) == pytest.approx(3.01 * rate, abs=1)  # the start and 300 steps, 100 per second
    for time_s in (0.1, 0.5, 1.0, 2.5):
        excerpt = samples[round((time_s - 0.05) * rate) : round((time_s + 0.05) * rate)]
        gain = max(1 - 0.01 * (2 / np.pi) * 100 * time_s, 0.15)
        assert rms_db(excerpt) == pytest.approx(20 * np.log10(0.5 * gain / np.sqrt(2)), abs=0.2)


@measures((DESCENT, "dry"), *((WAVEFORM, f"target_{degrees}") for degrees in (0, 90, 180)))
def test_a_phase_shifted_target_has_the_level_and_the_phase_of_its_caption() -> None:
    dry = sine(DESCENT, "dry")
    for degrees in (0, 90, 180):
        target = sine(WAVEFORM, f"target_{degrees}")
        assert level_db(target / dry) == pytest.approx(TARGET_DB, abs=0.02)
        phase_error = np.angle((target / dry) * np.exp(-1j * np.pi * degrees / 180), deg=True)
        assert phase_error == pytest.approx(0.0, abs=0.1)


@measures((WAVEFORM, "matched_90"), (WAVEFORM, "target_90"))
def test_matched_signal_of_the_waveform_loss_at_90_degrees_is_almost_silent() -> None:
    relative_db = level_db(sine(WAVEFORM, "matched_90") / sine(WAVEFORM, "target_90"))
    assert relative_db == pytest.approx(
        experiment(WAVEFORM).numbers["matched_90_db"], abs=3
    )  # 16 bits are coarse at this level
    assert relative_db < -40


@measures((SPECTRAL, "target_90"), (SPECTRAL, "matched_90"))
def test_matched_signal_of_the_spectral_loss_at_90_degrees_has_the_level_of_the_target() -> None:
    target, matched = sine(SPECTRAL, "target_90"), sine(SPECTRAL, "matched_90")
    assert level_db(matched / target) == pytest.approx(experiment(SPECTRAL).numbers["matched_90_db"], abs=0.02)
    assert abs(level_db(matched / target)) < 0.73, "within the cycle of its SGD"
    assert abs(np.angle(target / matched, deg=True)) == pytest.approx(90.0, abs=0.1)


@measures((OPTIMIZERS, "cycle_low"), (OPTIMIZERS, "target"))
def test_the_lowest_gain_of_the_cycle_agrees_with_its_caption() -> None:
    relative_db = level_db(sine(OPTIMIZERS, "cycle_low") / sine(OPTIMIZERS, "target"))
    assert abs(relative_db - experiment(OPTIMIZERS).numbers["cycle_low_db"]) < 0.02
    assert relative_db == pytest.approx(-0.72, abs=0.01)


@measures(*((REAL_SIGNALS, name) for name in ("dry", "target", "noisy")))
def test_the_target_of_the_music_is_scaled_and_its_noise_is_white_and_10_db_below() -> None:
    dry, rate = read_sound(REAL_SIGNALS, "dry")
    target, noisy = read_sound(REAL_SIGNALS, "target")[0], read_sound(REAL_SIGNALS, "noisy")[0]
    np.testing.assert_allclose(target, 0.15 * dry, atol=2**-15)
    noise = (noisy - target)[rate // 10 :]  # without the fade at the start of every session
    # The noise is 10 dB below the RMS of all ten seconds; the clip has the first four.
    assert rms_db(noise) - rms_db(target) == pytest.approx(-10.0, abs=1.0)
    power = np.abs(np.fft.rfft(noise)) ** 2
    octaves_db = [10 * np.log10(power[len(power) >> k : len(power) >> (k - 1)].mean()) for k in range(1, 8)]
    assert np.ptp(octaves_db) < 0.5
    assert abs(np.corrcoef(noise, target[rate // 10 :])[0, 1]) < 0.01


@measures((REAL_SIGNALS, "speech"))
def test_the_synthetic_speech_has_syllables_and_pauses() -> None:
    samples, rate = read_sound(REAL_SIGNALS, "speech")
    blocks = samples[: len(samples) // (rate // 50) * (rate // 50)].reshape(-1, rate // 50)
    power = np.mean(blocks**2, axis=1)
    silent = power < 1e-4 * power.max()
    assert 0.2 < silent.mean() < 0.8
    onsets = np.count_nonzero(np.diff(silent.astype(int)) == -1)
    assert onsets >= 3, "syllables with silence between"


@measures((REAL_TIME, "clean"), (REAL_TIME, "xrun"))
def test_the_xrun_replaces_20_ms_by_silence_and_changes_nothing_else() -> None:
    clean, rate = read_sound(REAL_TIME, "clean")
    broken, _ = read_sound(REAL_TIME, "xrun")
    other = np.flatnonzero(clean != broken)
    assert (other[-1] - other[0] + 1) / rate == pytest.approx(0.02, abs=0.001)
    assert other[0] / rate == pytest.approx(1.5, abs=0.02)
    assert np.all(broken[other] == 0.0)


@measures((FILTERS, "dry"))
def test_the_pink_noise_loses_3_db_per_octave() -> None:
    """Each octave has the same power, so the power per hertz falls by 3 dB per octave."""
    octaves_hz = [62.5 * 2**k for k in range(1, 7)]
    densities_db = [band_db(FILTERS, "dry", hz, 2 * hz) for hz in octaves_hz]
    assert np.polyfit(np.arange(len(octaves_hz)), densities_db, 1)[0] == pytest.approx(-3.01, abs=0.5)


def third_of_an_octave_db(name: str, hertz: float) -> float:
    """Level of a sound of lesson 7 relative to the dry sound in a third of an octave."""
    edges = (hertz * 2 ** (-1 / 6), hertz * 2 ** (1 / 6))
    return band_db(FILTERS, name, *edges) - band_db(FILTERS, "dry", *edges)


def expected_db(equalizer: ReferenceEqualizer, hertz: float) -> float:
    """The same of pink noise, whose power is constant per octave, from the filters that the lesson plays."""
    band_hz = hertz * 2 ** np.linspace(-1 / 6, 1 / 6, 21)
    response = to_filters(equalizer).response(band_hz, 48_000)
    return -6.0 + float(10 * np.log10(np.mean(np.abs(response) ** 2)))


@measures(*((FILTERS, name) for name in ("dry", "filtered", "matched")))
def test_the_filters_have_their_gains_and_the_learned_equalizer_sounds_alike() -> None:
    for name in ("filtered", "matched"):
        for hertz in (40.0, 800.0, 15_000.0):
            assert third_of_an_octave_db(name, hertz) == pytest.approx(expected_db(THREE_FILTERS, hertz), abs=0.7)
    target, matched = read_sound(FILTERS, "filtered")[0], read_sound(FILTERS, "matched")[0]
    residual_db = rms_db(target - matched) - rms_db(target)
    assert residual_db == pytest.approx(experiment(FILTERS).numbers["fit_residual_db"], abs=0.1)


@measures(*((FILTERS, name) for name in ("dry", "peaks", "trapped", "escaped")))
def test_the_trapped_sound_lacks_the_high_peak_and_the_escaped_one_the_low_peak() -> None:
    low_db, high_db = expected_db(TWO_PEAKS, 300.0), expected_db(TWO_PEAKS, 4000.0)
    for name, gains_db in (("peaks", (low_db, high_db)), ("trapped", (low_db, -6.0)), ("escaped", (-6.0, high_db))):
        for hertz, gain_db in zip((300.0, 4000.0), gains_db, strict=True):
            assert third_of_an_octave_db(name, hertz) == pytest.approx(gain_db, abs=0.3), (name, hertz)


@measures((FILTERS, "dry"), (FILTERS, "canceled"))
def test_bands_that_cancel_change_no_third_of_an_octave_by_more_than_two_decibels() -> None:
    for hertz in 1000 * 2 ** np.arange(-3.0, 3.1, 1 / 3):
        assert abs(third_of_an_octave_db("canceled", hertz)) < 2.0
    difference = read_sound(FILTERS, "canceled")[0] - read_sound(FILTERS, "dry")[0]
    residual_db = rms_db(difference) - rms_db(read_sound(FILTERS, "dry")[0])
    assert residual_db == pytest.approx(experiment(FILTERS).numbers["cancel_residual_db"], abs=0.01)


@measures(*((LOUDNESS, name) for name in ("dry", "louder_2", "louder_1", "louder_05")))
def test_louder_music_differs_only_by_its_gain() -> None:
    dry = read_sound(LOUDNESS, "dry")[0]
    for name, gain_db in (("louder_2", 2.0), ("louder_1", 1.0), ("louder_05", 0.5)):
        np.testing.assert_allclose(read_sound(LOUDNESS, name)[0], 10 ** (gain_db / 20) * dry, atol=2**-14)


@measures(*((LOUDNESS, name) for name in ("noise", "shelved", "shelved_matched")))
def test_shelved_noise_has_its_gain_below_the_shelf_and_its_match_the_same_loudness() -> None:
    def octave_db(name: str, hertz: float) -> float:
        edges = (hertz / 2**0.5, hertz * 2**0.5)
        return band_db(LOUDNESS, name, *edges) - band_db(LOUDNESS, "noise", *edges)

    assert octave_db("shelved", 125.0) == pytest.approx(6.0, abs=0.1)
    assert octave_db("shelved", 8000.0) == pytest.approx(0.0, abs=0.1)
    trim_db = octave_db("shelved_matched", 8000.0) - octave_db("shelved", 8000.0)
    assert trim_db == pytest.approx(-experiment(LOUDNESS).numbers["shelf_lu"], abs=0.01)
    noise_lufs, matched_lufs = (
        pyloudnorm.Meter(48_000).integrated_loudness(read_sound(LOUDNESS, name)[0])
        for name in ("noise", "shelved_matched")
    )
    assert matched_lufs == pytest.approx(noise_lufs, abs=0.05)


def test_every_sound_is_measured() -> None:
    assert {(lesson.name, name) for lesson in LESSONS for step in lesson.steps for name in step.sounds} == MEASURED
