"""Measured response, against filters of known response."""

import numpy as np
import pytest
import scipy.signal
import torch
from torch import Tensor

from rtgain.dsp.response import ResponseAverage, adjacent_bands
from rtgain.dsp.spectra import Spectra, SpectraPair, hann_spectra
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters

RATE = 48000
WINDOW_FRAMES = 4096


def spectra(signal: np.ndarray) -> Tensor:
    """Hann spectra of C channels, (C, N), every 1,024 frames: (B, C, K)."""
    return hann_spectra(torch.from_numpy(signal).unfold(-1, WINDOW_FRAMES, 1024).swapaxes(0, 1)).bins


def pair(dry: Tensor, target: Tensor) -> SpectraPair:
    return SpectraPair(Spectra(dry), Spectra(target))


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((2, 10 * RATE))


def test_response_is_that_of_the_filter_whatever_the_channels_polarity(noise: np.ndarray) -> None:
    b, a = scipy.signal.butter(2, 2000.0, fs=RATE)
    target = scipy.signal.lfilter(0.5 * b, a, noise)
    target[1] *= -1.0
    average = ResponseAverage()
    average.add(pair(spectra(noise), spectra(target)))
    response = average.response(RATE, bands_per_octave=3)
    _, expected = scipy.signal.freqz(0.5 * b, a, response.frequency_hz, fs=RATE)
    passband = (response.frequency_hz > 60.0) & (response.frequency_hz < 1500.0)
    expected_db = 20.0 * np.log10(np.abs(expected))
    np.testing.assert_allclose(response.gain_db[passband], expected_db[passband], atol=0.1)
    assert (response.coherence[passband] > 0.99).all()


def test_coherence_is_the_share_of_the_target_that_the_dry_signal_explains(noise: np.ndarray) -> None:
    other = np.random.default_rng(4).standard_normal(noise.shape)
    average = ResponseAverage()
    average.add(pair(spectra(noise), spectra(noise + other)))
    response = average.response(RATE, bands_per_octave=1)
    wide = response.frequency_hz > 200.0
    np.testing.assert_allclose(response.coherence[wide], 0.5, atol=0.05)
    np.testing.assert_allclose(response.gain_db[wide], 0.0, atol=0.4)


def test_recent_windows_replace_those_before_the_memory(noise: np.ndarray) -> None:
    average = ResponseAverage(memory_windows=20.0)
    bins = spectra(noise)
    average.add(pair(bins, bins))
    average.add(pair(bins[:300], 0.25 * bins[:300]))  # 15 memories: the first gain counts by 3e-7
    gain_db = average.response(RATE, bands_per_octave=3).gain_db
    np.testing.assert_allclose(gain_db, 20.0 * np.log10(0.25), atol=1e-3)


def test_one_batch_is_the_same_as_many(noise: np.ndarray) -> None:
    bins = spectra(noise[:, : 2 * RATE])
    whole, parts = ResponseAverage(memory_windows=30.0), ResponseAverage(memory_windows=30.0)
    whole.add(pair(bins, 2.0 * bins))
    for start in range(0, len(bins), 7):
        parts.add(pair(bins[start : start + 7], 2.0 * bins[start : start + 7]))
    one, other = (average.response(RATE, bands_per_octave=3) for average in (whole, parts))
    np.testing.assert_allclose(one.gain_db, other.gain_db, atol=1e-9)


def test_a_band_without_sound_is_unknown() -> None:
    time = np.arange(RATE) / RATE
    tone = np.sin(2.0 * np.pi * 1000.0 * time)[None]
    average = ResponseAverage()
    empty = spectra(tone)
    empty[:, :, 500:] = 0.0
    average.add(pair(empty, empty))
    response = average.response(RATE, bands_per_octave=3)
    above = response.frequency_hz > 8000.0
    assert np.isnan(response.gain_db[above]).all()
    assert (response.coherence[above] == 0.0).all()


def test_bands_are_thirds_of_an_octave_around_1_khz(noise: np.ndarray) -> None:
    average = ResponseAverage()
    bins = spectra(noise[:, :RATE])
    average.add(pair(bins, bins))
    frequency_hz = average.response(RATE, bands_per_octave=3).frequency_hz
    assert 1000.0 in frequency_hz
    np.testing.assert_allclose(frequency_hz[1:] / frequency_hz[:-1], 2.0 ** (1.0 / 3.0))
    assert frequency_hz[0] == pytest.approx(1000.0 * 2.0 ** (-11 / 3))  # 11.7 Hz per bin: two bins fit from here


def test_band_response_is_complex_and_without_polarity(noise: np.ndarray) -> None:
    b, a = scipy.signal.butter(2, 2000.0, fs=RATE)
    target = scipy.signal.lfilter(0.5 * b, a, noise)
    target[1] *= -1.0
    average = ResponseAverage()
    average.add(pair(spectra(noise), spectra(target)))
    measured = average.band_response(RATE, bands_per_octave=12)
    _, expected = scipy.signal.freqz(0.5 * b, a, measured.frequency_hz, fs=RATE)
    passband = (measured.frequency_hz > 60.0) & (measured.frequency_hz < 2500.0)
    np.testing.assert_allclose((measured.response / expected)[passband], 1.0, atol=0.03)
    average.rotate(0.5)
    delayed = average.band_response(RATE, bands_per_octave=12).response
    angle = -0.5 * 2 * np.pi * measured.frequency_hz / RATE
    np.testing.assert_allclose((delayed / measured.response)[passband], np.exp(1j * angle)[passband], atol=0.005)


def test_response_relative_to_that_of_filters_is_not_smoothed(noise: np.ndarray) -> None:
    """A window is too short for a narrow filter at low frequencies, and two bins are too wide."""
    filters = EqualizerFilters(0.0, (EqualizerFilter("peak", 90.0, 9.0, 2.0),))
    ((b0, b1, b2, a1, a2),) = filters.coefficients(RATE)
    filtered = scipy.signal.lfilter([b0, b1, b2], [1.0, a1, a2], noise)
    dry, target = spectra(noise), spectra(0.5 * filtered)
    hz = np.fft.rfftfreq(WINDOW_FRAMES, 1.0 / RATE)
    unfiltered = dry.conj() * spectra(filtered) / torch.from_numpy(filters.response(hz, RATE))
    average = ResponseAverage()
    average.add(pair(dry, target), unfiltered)
    errors_db = []
    for known in (EqualizerFilters(), filters):
        measured = average.band_response(RATE, 12, known)
        ratio = measured.response / (0.5 * filters.response(measured.frequency_hz, RATE))
        errors_db.append(np.abs(20.0 * np.log10(np.abs(ratio))).max())
    assert errors_db[0] > 0.1
    assert errors_db[1] < 1e-6


def test_channel_ratios_are_gains_relative_to_a_response(noise: np.ndarray) -> None:
    b, a = scipy.signal.butter(2, 2000.0, fs=RATE)
    target = scipy.signal.lfilter(b, a, noise) * np.array([[0.5], [-0.25]])
    average = ResponseAverage()
    average.add(pair(spectra(noise), spectra(target)))
    _, response = scipy.signal.freqz(b, a, average.band_response(RATE, 12).frequency_hz, fs=RATE)
    np.testing.assert_allclose(average.channel_ratios(response, 12), [0.5, 0.25], rtol=0.01)
    silent = ResponseAverage()
    silent.add(pair(spectra(noise * [[1.0], [0.0]]), spectra(target)))
    assert np.isnan(silent.channel_ratios(response, 12)).tolist() == [False, True]


def test_adjacent_bands_have_no_gaps_and_two_bins_at_least() -> None:
    bands = adjacent_bands(2049, 12)
    np.testing.assert_array_equal(bands[1:, 0], bands[:-1, 1])
    assert (bands[0, 0], bands[:, 1].max() <= 2047) == (2, True)
    widths = bands[:, 1] - bands[:, 0]
    assert widths.min() == 2
    octaves = np.log2(bands[:, 1] / bands[:, 0])
    np.testing.assert_allclose(octaves[bands[:, 0] > 100], 1 / 12, atol=0.01)


def test_bands_without_sound_have_no_coherence() -> None:
    average = ResponseAverage()
    silence = torch.zeros(1, 1, 2049, dtype=torch.complex64)
    average.add(pair(silence, silence))
    measured = average.band_response(RATE, 12)
    assert not measured.coherence.any()
    assert np.isfinite(measured.frequency_hz).all()
