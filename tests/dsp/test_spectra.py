"""Spectra, levels, moments and shifts, against NumPy and against signals of known spectrum."""

import math

import numpy as np
import pytest
import scipy.signal
import torch
from torch import Tensor

from rtgain.dsp.spectra import HANN_MEAN_SQUARE, Spectra, SpectraPair, fractional_shift, hann_spectra, temporal_moments

FRAMES = 1024
HANN = scipy.signal.get_window("hann", FRAMES)


def band_noise(windows: int, seed: int = 1) -> Tensor:
    """White noise without the eight lowest and eight highest frequencies of a window, (windows, FRAMES), float64."""
    rng = np.random.default_rng(seed)
    spectrum = rng.standard_normal((windows, FRAMES // 2 + 1)) + 1j * rng.standard_normal((windows, FRAMES // 2 + 1))
    spectrum[:, :8] = spectrum[:, -8:] = 0.0
    return torch.from_numpy(np.fft.irfft(spectrum, FRAMES))


def test_spectrum_is_the_hann_windowed_transform_without_its_ends() -> None:
    x = band_noise(3)
    expected = np.fft.rfft(x.numpy() * HANN)
    np.testing.assert_allclose(hann_spectra(x).bins.numpy(), expected, atol=1e-6 * np.abs(expected).max())
    white = torch.randn(1, FRAMES, generator=torch.Generator().manual_seed(1))
    spectrum = hann_spectra(white).bins[0]
    assert spectrum[[0, 1, -2, -1]].tolist() == [0j] * 4
    assert bool((spectrum[2:-2].abs() > 0).all())


def test_dc_and_nyquist_are_removed() -> None:
    x = band_noise(1).float()
    standing = 0.5 + 0.25 * (-1.0) ** torch.arange(FRAMES)
    level = float(hann_spectra(x).magnitude.max())
    assert float(hann_spectra(standing[None]).magnitude.max()) < 1e-4  # against 384 and 192 in the removed bins
    assert float((hann_spectra(x + standing).bins - hann_spectra(x).bins).abs().max()) < 1e-5 * level + 1e-4
    assert float(hann_spectra(standing[None]).rms[0]) < 1e-6


def test_rms_is_that_of_the_windowed_signal() -> None:
    x = band_noise(4) * torch.tensor([[1.0], [1e-4], [30.0], [0.0]])
    expected = np.sqrt(np.mean((x.numpy() * HANN) ** 2, axis=-1) / np.mean(HANN**2))
    np.testing.assert_allclose(hann_spectra(x).rms.numpy(), expected, rtol=1e-6)
    assert np.mean(HANN**2) == pytest.approx(HANN_MEAN_SQUARE, rel=1e-12)


def test_rms_of_a_sine_is_its_peak_over_the_root_of_two() -> None:
    sine = 0.5 * torch.sin(2.0 * torch.pi * 100.3 / FRAMES * torch.arange(FRAMES, dtype=torch.float64))[None]
    assert hann_spectra(sine).rms.item() == pytest.approx(0.5 / math.sqrt(2.0), rel=1e-5)


def test_power_is_the_squared_magnitude() -> None:
    spectra = Spectra(torch.tensor([3.0 + 4.0j, -2.0j, 0.0]))
    assert spectra.power.tolist() == [25.0, 4.0, 0.0]
    assert spectra.magnitude.tolist() == [5.0, 2.0, 0.0]


def test_scaled_spectra_are_those_of_scaled_windows() -> None:
    x, factor = band_noise(3), torch.tensor([0.5, 0.0, 30.0])
    scaled, expected = hann_spectra(x).scaled(factor), hann_spectra(x * factor.unsqueeze(-1))
    for name in ("bins", "power", "magnitude", "rms"):
        torch.testing.assert_close(getattr(scaled, name), getattr(expected, name), rtol=1e-6, atol=1e-9)


def test_cross_spectrum_has_the_phase_of_target_relative_to_dry() -> None:
    pair = SpectraPair(Spectra(torch.tensor([[2.0j, 1.0 + 1.0j]])), Spectra(torch.tensor([[-3.0 + 0.0j, 2.0j]])))
    assert pair.cross.tolist() == [[6.0j, 2.0 + 2.0j]]  # both lead: by 90° and by 45°
    assert pair.cross_magnitude.tolist() == [pytest.approx([6.0, math.sqrt(8.0)])]


def moments(window: Tensor) -> tuple[float, float]:
    spectra = hann_spectra(window.unsqueeze(1))
    mean, deviation = temporal_moments(window.unsqueeze(1), spectra, spectra.magnitude.flatten(1))
    return float(mean[0]), float(deviation[0])


@pytest.mark.parametrize("frames_from_center", [-300, -1, 0, 1, 256, 400])
def test_moments_of_an_impulse_are_its_time_and_no_spread(frames_from_center: int) -> None:
    impulse = torch.zeros(1, FRAMES, dtype=torch.float64)
    impulse[0, FRAMES // 2 + frames_from_center] = 1.0
    mean, deviation = moments(impulse)
    assert mean == pytest.approx(frames_from_center, abs=1e-3)
    assert deviation < 0.5


def test_moments_of_two_equal_impulses_are_their_middle_and_half_distance() -> None:
    impulses = torch.zeros(1, FRAMES, dtype=torch.float64)
    impulses[0, [FRAMES // 2 - 200, FRAMES // 2 + 200]] = 1.0
    mean, deviation = moments(impulses)
    assert mean == pytest.approx(0.0, abs=1e-3)
    assert deviation == pytest.approx(200.0, rel=2e-3)  # four bins of 513 are removed


def test_moments_are_weighted_by_the_hann_window() -> None:
    impulses = torch.zeros(1, FRAMES, dtype=torch.float64)
    impulses[0, [FRAMES // 2, FRAMES // 2 + 256]] = 1.0  # the Hann window is 1 here and 1/2 there
    mean, deviation = moments(impulses)
    assert mean == pytest.approx(256 * 0.25 / 1.25, rel=0.02)
    assert deviation == pytest.approx(256 * math.sqrt(0.2 * 0.8), rel=0.02)


def test_moments_are_those_of_the_windowed_energy() -> None:
    x = band_noise(4) * torch.linspace(0.0, 1.0, FRAMES) ** torch.tensor([[0.0], [1.0], [2.0], [4.0]])
    spectra = hann_spectra(x.unsqueeze(1))
    mean, deviation = temporal_moments(x.unsqueeze(1), spectra, spectra.magnitude.flatten(1))
    energy = (x.numpy() * HANN) ** 2
    time_frames = np.arange(FRAMES) - FRAMES / 2
    expected = (energy * time_frames).sum(-1) / energy.sum(-1)
    spread = np.sqrt((energy * time_frames**2).sum(-1) / energy.sum(-1) - expected**2)
    np.testing.assert_allclose(mean.numpy(), expected, atol=0.01)
    np.testing.assert_allclose(deviation.numpy(), spread, rtol=1e-4)


def test_moments_use_weighted_bins_only() -> None:
    times = np.arange(FRAMES) - FRAMES / 2
    early = np.exp(-(((times + 200) / 40) ** 2)) * np.cos(2 * np.pi * 100 / FRAMES * times)
    late = np.exp(-(((times - 200) / 40) ** 2)) * np.cos(2 * np.pi * 400 / FRAMES * times)
    window = torch.from_numpy(early + late)[None, None]
    spectra = hann_spectra(window)
    magnitude = spectra.magnitude.flatten(1)
    low = magnitude * (torch.arange(FRAMES // 2 + 1) < 250)
    mean, _ = temporal_moments(window, spectra, low)
    # The Hann window slopes over the burst, which moves its middle by the burst's variance times that slope.
    assert float(mean[0]) == pytest.approx(-200.0, abs=5.0)
    mean, _ = temporal_moments(window, spectra, magnitude - low)
    assert float(mean[0]) == pytest.approx(200.0, abs=5.0)


def test_moments_of_silence_are_zero() -> None:
    assert moments(torch.zeros(1, FRAMES)) == (0.0, 0.0)


@pytest.mark.parametrize("frames", [-7.6, -0.5, 0.01, 0.25, 0.5, 3.3])
def test_fractional_shift_of_a_sine_is_the_sine_at_a_later_time(frames: float) -> None:
    def signal(times: Tensor) -> Tensor:
        omega = 2.0 * torch.pi / FRAMES
        return (torch.sin(10 * omega * times + 0.3) + 0.1 * torch.cos(300 * omega * times))[None, None]

    times = torch.arange(FRAMES, dtype=torch.float64)
    torch.testing.assert_close(fractional_shift(signal(times), (frames,)), signal(times - frames), rtol=0.0, atol=3e-6)


def test_shift_of_whole_frames_is_circular() -> None:
    x = band_noise(2).unsqueeze(1)
    torch.testing.assert_close(fractional_shift(x, (5.0,)), x.roll(5, -1), rtol=0.0, atol=1e-6)


def test_negligible_shift_returns_the_input() -> None:
    x = band_noise(1).unsqueeze(1)
    assert fractional_shift(x, (0.004,)) is x
    assert fractional_shift(x, (0.006,)) is not x


def test_each_channel_is_shifted_by_its_own_fraction() -> None:
    x = torch.stack([band_noise(2), band_noise(2)], dim=1)
    shifted = fractional_shift(x, (0.0, 5.0))
    torch.testing.assert_close(shifted, torch.stack([x[:, 0], x[:, 1].roll(5, -1)], dim=1), rtol=0.0, atol=1e-6)
