"""Parametric equalizer: its response against FFmpeg's filters and scipy, its gradients, and its use with `fit`."""

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rtgain
from rtgain.dsp.filters import ParametricEQ
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters
from tests.ffmpeg_filters import ffmpeg_equalized

RATE = 48_000

SETTINGS = {
    "gain_db": -4.0,
    "low_shelf_gain_db": 6.0, "low_shelf_octaves": -3.2, "low_shelf_q": 0.6,
    "peak_1_gain_db": -5.0, "peak_1_octaves": -1.5, "peak_1_q": 2.5,
    "peak_2_gain_db": 3.0, "peak_2_octaves": 0.1, "peak_2_q": 0.5,
    "peak_3_gain_db": -8.0, "peak_3_octaves": 1.3, "peak_3_q": 4.0,
    "peak_4_gain_db": 2.0, "peak_4_octaves": 2.4, "peak_4_q": 1.0,
    "high_shelf_gain_db": -7.0, "high_shelf_octaves": 3.3, "high_shelf_q": 0.9,
}  # fmt: skip


def make_eq(**values: float) -> ParametricEQ:
    return ParametricEQ(RATE, **{name: torch.tensor([value], dtype=torch.float64) for name, value in values.items()})


def test_filters_equal_those_of_ffmpeg() -> None:
    x = np.random.default_rng(0).standard_normal(3000)
    equalizer = make_eq(**SETTINGS)
    filtered = equalizer(torch.from_numpy(x)[None]).detach().numpy()[0]
    np.testing.assert_allclose(filtered, ffmpeg_equalized(equalizer.filters, x, RATE), atol=1e-7)


def test_record_has_the_response_of_the_processor_and_scipys() -> None:
    equalizer = make_eq(**SETTINGS)
    hz = np.geomspace(10.0, 23_900.0, 300)
    omega = torch.from_numpy(2 * np.pi * hz / RATE)
    processed = equalizer.response(omega)[0].detach().numpy()
    b0, b1, b2, a1, a2 = equalizer.filters.coefficients(RATE).T
    sections = np.stack([b0, b1, b2, np.ones_like(b0), a1, a2], axis=1)
    _, expected = scipy.signal.freqz_sos(sections, worN=hz, fs=RATE)
    np.testing.assert_allclose(equalizer.filters.response(hz, RATE), expected * 10 ** (-4 / 20), rtol=1e-9)
    np.testing.assert_allclose(processed, expected * 10 ** (-4 / 20), rtol=1e-9)


@pytest.mark.parametrize("kind", ["low_shelf", "peak", "high_shelf"])
def test_a_filter_has_its_gain_where_the_cookbook_defines_it(kind: str) -> None:
    """A shelf has half of its gain in dB at the corner and all of it at its end; a peak has all of it at the center."""
    name = "peak_1" if kind == "peak" else kind
    equalizer = make_eq(**{f"{name}_gain_db": -9.0, f"{name}_octaves": 1.0})
    at = {"low_shelf": (0.0, 2000.0, 24_000.0), "peak": (2000.0, 0.0, 24_000.0), "high_shelf": (24_000.0, 2000.0, 0.0)}
    expected_db = [-9.0, 0.0, 0.0] if kind == "peak" else [-9.0, -4.5, 0.0]
    omega = torch.tensor(at[kind], dtype=torch.float64) * 2 * torch.pi / RATE
    level_db = 20 * torch.log10(equalizer.response(omega).abs())[0].detach().numpy()
    np.testing.assert_allclose(level_db, expected_db, atol=1e-9)


def test_gradients_equal_finite_differences() -> None:
    omega = torch.tensor([0.004, 0.03, 0.2, 0.9, 2.5], dtype=torch.float64)
    equalizer = make_eq(**SETTINGS)

    def output(*values: torch.Tensor) -> torch.Tensor:
        for name, value in zip(SETTINGS, values, strict=True):
            delattr(equalizer, name)
            setattr(equalizer, name, value)
        return torch.view_as_real(equalizer.response(omega))

    values = tuple(torch.tensor([value], dtype=torch.float64, requires_grad=True) for value in SETTINGS.values())
    assert torch.autograd.gradcheck(output, values)


def test_each_signal_of_a_batch_has_its_own_settings() -> None:
    omega = torch.linspace(0.01, 3.0, 50, dtype=torch.float64)
    first = {name: 1.0 if name.endswith("_q") else 0.0 for name in SETTINGS}
    values = {name: torch.tensor([first[name], SETTINGS[name]], dtype=torch.float64) for name in SETTINGS}
    both = ParametricEQ(RATE, **values)
    responses = both.response(omega).detach()
    np.testing.assert_allclose(responses[0].abs(), 1.0, atol=1e-12)
    np.testing.assert_allclose(responses[1], make_eq(**SETTINGS).response(omega)[0].detach(), rtol=1e-12)


def test_fit_learns_a_treble_boost() -> None:
    dry = np.random.default_rng(1).standard_normal(4000)
    target = ffmpeg_equalized(EqualizerFilters(-3.0, (EqualizerFilter("high_shelf", 7000.0, 6.0, 0.7071),)), dry, RATE)
    learned = rtgain.ParametricEQ(RATE)
    history = rtgain.fit(learned, dry, target, loss="log-stft", optimizer="Adam", lr=0.1, steps=60)
    assert history.loss[-1] < 0.1 * history.loss[0]
    omega = 2 * torch.pi / RATE * torch.tensor([1000.0, 7000.0, 20_000.0])
    level_db = 20 * torch.log10(learned.response(omega).abs())[0].detach().numpy()
    np.testing.assert_allclose(level_db, [-3.0, 0.0, 3.0], atol=0.5)


@settings(max_examples=40, deadline=None)
@given(
    gain_db=st.floats(*(getattr(ParametricEQ.info["low_shelf_gain_db"], end) for end in ("minimum", "maximum"))),
    octaves=st.floats(*(getattr(ParametricEQ.info["low_shelf_octaves"], end) for end in ("minimum", "maximum"))),
    rate=st.sampled_from([8000, 16000, 48000, 192000]),
)
def test_low_shelf_is_finite_and_between_its_gain_and_unity(gain_db: float, octaves: float, rate: int) -> None:
    shelf = ParametricEQ(rate, gain_db=0.0, low_shelf_gain_db=gain_db, low_shelf_octaves=octaves)
    omega = torch.linspace(0, torch.pi, 500, dtype=torch.float64)
    level_db = 20 * torch.log10(shelf.response(omega).abs()).detach().numpy()
    assert level_db.min() >= min(gain_db, 0.0) - 1e-6
    assert level_db.max() <= max(gain_db, 0.0) + 1e-6


def test_clamp_parameters_limits_values_to_their_range() -> None:
    equalizer = make_eq(gain_db=99.0, peak_1_q=0.0)
    equalizer.clamp_parameters()
    assert equalizer.gain_db.item() == 60.0
    assert equalizer.peak_1_q.item() == ParametricEQ.info["peak_1_q"].minimum


def test_default_equalizer_has_no_effect() -> None:
    assert rtgain.ParametricEQ(RATE).filters.coefficients(RATE).shape == (0, 5)
