"""Baselines of the equalizer benchmark."""

import math

import numpy as np
import pytest
import torch

from rtgain.audio.sources.synthetic import PinkSource
from rtgain.bench import equalizer as bench
from rtgain.bench.equalizer import _dasp_response, _own_response
from rtgain.bench.signals import BenchSignal
from rtgain.dsp.filters import ParametricEQ

RATE = 44_100


def test_row_has_every_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """One equalizer instead of 24, and a short sound: all cases run, and the figures are of the right size."""
    monkeypatch.setattr(bench, "NOISY_EQUALIZERS", 1)
    samples = PinkSource(RATE, 1, seed=1).read(round(bench.DURATION_S * RATE))[0]
    (row,) = bench.rows([BenchSignal("pink", samples, RATE)], equalizers=1)
    limits = {
        "error_db": 0.25,
        "null_db": -30.0,
        "noisy_db": bench.MAX_NOISY_DB,
        "follow_s": bench.MAX_FOLLOW_S,
        "flat_db": bench.MAX_FLAT_DB,
        "flat_gain_db": bench.MAX_GAIN_DB,
        "held_db": 0.0,
    }
    assert {name: row[name] for name, limit in limits.items() if not row[name] <= limit} == {}
    assert row["error_db"] < min(row["adam_db"], row["dasp_db"])


def test_moved_peak_is_followed_although_the_sound_before_was_30_db_louder() -> None:
    samples = PinkSource(RATE, 1, seed=1).read(round(bench.DURATION_S * RATE))[0]
    fallen = np.clip((np.arange(len(samples)) / RATE - bench.SWEEP_S[1]) / 0.1, 0.0, 1.0)
    signal = BenchSignal("falls", (samples * 10.0 ** (-1.5 * fallen)).astype(np.float32), RATE)
    assert bench.follow_s(signal) <= bench.MAX_FOLLOW_S


def test_settling_time_is_that_of_sound() -> None:
    tone = np.sin(np.arange(RATE) * 0.1).astype(np.float32)
    signal = BenchSignal("pauses", np.concatenate([tone, 0.0 * tone, tone, tone]), RATE)
    assert [signal.sound_s(time_s) for time_s in (0.5, 1.5, 2.5)] == pytest.approx([0.5, 1.0, 1.5], abs=0.02)


def test_the_equalizer_of_dasp_pytorch_has_the_same_response() -> None:
    """The packages were written independently from one cookbook. The impulse response is cut after 4,096 frames."""
    generator = torch.Generator().manual_seed(1)
    equalizer = ParametricEQ(RATE)
    for name in equalizer.NAMES:
        getattr(equalizer, f"{name}_gain_db").data.uniform_(-9.0, 9.0, generator=generator)
        getattr(equalizer, f"{name}_q").data.uniform_(0.5, 1.0, generator=generator)
    omega = 2.0 * math.pi / RATE * torch.logspace(math.log10(100.0), math.log10(18_000.0), 40)
    own, dasp = _own_response(equalizer, omega), _dasp_response(equalizer, omega)
    assert 20.0 * (own / dasp).abs().log10().abs().max().item() == pytest.approx(0.0, abs=0.01)
    assert (own / dasp).angle().abs().max().item() == pytest.approx(0.0, abs=0.003)
