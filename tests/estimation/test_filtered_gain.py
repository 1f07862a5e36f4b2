"""Gain of windows behind learned filters: it does not depend on their sound, and survives a change of the filters."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from rtgain.dsp.spectra import Spectra, SpectraPair, hann_spectra
from rtgain.estimation.filtered_gain import FilteredGain
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters

RATE, WINDOW, HOP = 48_000, 4096, 1024
HZ = np.linspace(0.0, RATE / 2.0, WINDOW // 2 + 1)


def response(gain_db: float) -> Tensor:
    shelf = EqualizerFilters(0.0, (EqualizerFilter("low_shelf", 8000.0, gain_db, 0.7),))
    return torch.from_numpy(shelf.response(HZ, RATE)).to(torch.complex64)


SHELF = response(9.0)


def window(seed: int, gain_db: float, filters: Tensor = SHELF, tilt: float = 0.0) -> tuple[SpectraPair, Tensor]:
    """Make a window of noise, whose spectrum falls by `tilt`, and a target behind filters and a gain."""
    noise = torch.from_numpy(np.random.default_rng(seed).standard_normal((1, 2, WINDOW)).astype(np.float32))
    shaped = torch.fft.rfft(noise) / torch.from_numpy((1.0 + HZ / 500.0) ** tilt).float()
    dry = torch.fft.irfft(shaped, WINDOW)
    spectra = hann_spectra(dry)
    return SpectraPair(spectra, Spectra(spectra.bins * filters * 10.0 ** (gain_db / 20.0))), dry


def followed(gains_db: list[float], filters: Tensor = SHELF) -> FilteredGain:
    gain = FilteredGain(HOP)
    for seed, gain_db in enumerate(gains_db):
        pair, dry = window(seed, gain_db, filters, tilt=float(seed % 3))
        gain.update(pair, dry, Spectra(pair.dry.bins * SHELF))
    return gain


def test_windows_of_different_sound_have_one_gain() -> None:
    gain = followed([-6.0] * 12)
    assert gain.change_db(-6.0) == pytest.approx(0.0, abs=0.001)
    assert gain.is_consistent


def test_ramp_and_step_are_followed_within_a_window() -> None:
    ramp_db = [0.1 * hop for hop in range(30)]
    assert followed(ramp_db).change_db(ramp_db[-1]) == pytest.approx(0.0, abs=0.05)
    assert followed([*ramp_db, -20.0]).change_db(-20.0) == pytest.approx(0.0, abs=0.1)


def test_bands_that_contradict_the_filters_are_no_certain_gain() -> None:
    gain = followed([-6.0] * 12, response(-9.0))
    assert not gain.is_consistent


def test_filter_that_moves_three_quarters_of_the_bands_is_no_moved_gain() -> None:
    gain = followed([-6.0] * 12)
    high_shelf = EqualizerFilters(0.0, (EqualizerFilter("high_shelf", 5000.0, -6.0, 0.7),)).response(HZ, RATE)
    pair, dry = window(20, -6.0, SHELF * torch.from_numpy(high_shelf).to(torch.complex64))
    gain.update(pair, dry, Spectra(pair.dry.bins * SHELF))
    assert gain.change_db(-6.0) == pytest.approx(0.0, abs=0.001)
    assert not gain.is_consistent


def test_other_filters_do_not_look_like_a_moved_gain() -> None:
    gain = followed([-6.0] * 12)
    newest, _ = window(11, -6.0, tilt=2.0)
    gain.replace(Spectra(newest.dry.bins * SHELF * 10.0 ** (2.0 / 20.0)), 0.0)  # 2 dB are now in the filters
    assert gain.change_db(-8.0) == pytest.approx(0.0, abs=0.001)


def test_silence_measures_nothing_and_holds_the_gain() -> None:
    gain = followed([-6.0] * 12)
    silence = torch.zeros(1, 2, WINDOW)
    spectra = hann_spectra(silence)
    gain.update(SpectraPair(spectra, spectra), silence, spectra)
    gain.skip()
    assert gain.change_db(-6.0) == pytest.approx(0.0, abs=0.001)
    assert math.isfinite(gain.std_db)
    assert gain.is_consistent
