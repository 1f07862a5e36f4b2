"""Rows of the analysis of a pair: as many are allocated as windows arrive, at any length, rate and chunk size."""

from itertools import pairwise

import numpy as np
import pytest

from rtgain.match.analysis import PairAnalysis


@pytest.mark.parametrize("sample_rate", [8000, 44_100])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_allocated_rows_are_filled_exactly(sample_rate: int, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtgain.match.analysis.MAX_WINDOWS", 23)
    monkeypatch.setattr("rtgain.match.analysis.MAX_LEVEL_WINDOWS", 7)
    monkeypatch.setattr("rtgain.match.analysis.MAX_SPECTRA", 10)
    random = np.random.default_rng(sample_rate + channels)
    for frames in (512, 513, *random.integers(512, 5 * sample_rate, 12).tolist()):
        signal = random.standard_normal((channels, frames))
        analysis = PairAnalysis(sample_rate, channels, frames)
        edges = np.unique([0, *random.integers(0, frames, 5), frames])
        for begin, end in pairwise(edges):
            analysis.add(signal[:, begin:end], signal[:, begin:end])
        for rows in (analysis._rows, analysis._sampled, analysis._blocks):
            assert len(rows.arrays[0]) == len(rows._arrays[0])
        spectra = analysis.finish()
        assert spectra is not None
        assert len(spectra.times_s) <= 23
        assert len(spectra.leveled) <= 7
        assert spectra.leveled.max() < len(spectra.times_s)
