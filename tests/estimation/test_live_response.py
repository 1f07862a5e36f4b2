"""Live response: gain by frequency over the last two seconds, from the estimator to the ring for the GUI."""

import numpy as np
import pytest

from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.estimation.estimator import Estimator
from rtgain.estimation.loss_curve_sampler import DiagnosticsPublisher
from rtgain.estimation.window_features import Windows
from rtgain.records.response import Response

RATE, WINDOW, HOP = 16_000, 1024, 256
LOUD_HZ = 2_000


def windows(gain_above: float, seed: int) -> Windows:
    """Two seconds of noise, with a gain of 0.5 below `LOUD_HZ` and `gain_above` above."""
    frames = 2 * RATE
    dry = 0.1 * np.random.default_rng(seed).standard_normal(frames)
    gains = np.where(np.fft.rfftfreq(frames, 1 / RATE) < LOUD_HZ, 0.5, gain_above)
    target = np.fft.irfft(np.fft.rfft(dry) * gains, frames)
    cut = [
        np.lib.stride_tricks.sliding_window_view(signal, WINDOW)[::HOP].astype(np.float32)[:, None]
        for signal in (dry, target)
    ]
    centers = np.arange(len(cut[0])) * HOP + WINDOW / 2
    return Windows(*cut, centers, centers + WINDOW / 2, np.full(len(centers), np.nan))


@pytest.fixture
def estimator() -> Estimator:
    estimator = Estimator(EstimatorSettings(sample_rate=RATE, window_frames=WINDOW, hop_frames=HOP))
    assert estimator.response is None, "disabled"
    estimator.enable_response()
    assert estimator.response is None, "no sound yet"
    estimator.estimate(windows(1.0, seed=1))
    return estimator


def test_response_is_that_of_the_filter_and_travels_through_the_ring(estimator: Estimator) -> None:
    response = estimator.response
    assert response is not None
    low = (response.frequency_hz > 100) & (response.frequency_hz < 0.7 * LOUD_HZ)
    high = response.frequency_hz > 1.4 * LOUD_HZ
    np.testing.assert_allclose(response.gain_db[low], 20 * np.log10(0.5), atol=0.05)
    np.testing.assert_allclose(response.gain_db[high], 0.0, atol=0.05)
    assert response.coherence[low | high].min() > 0.999
    with EngineSharedMemory.create(RATE) as memory:
        DiagnosticsPublisher(memory.curves, memory.responses).publish_if_due(estimator)
        row = memory.responses.read(memory.responses.frames_written - 1, 1)[:, 0]
    for sent, received in zip(vars(response).values(), vars(Response.from_row(row)).values(), strict=True):
        np.testing.assert_array_equal(sent, received)


def test_response_follows_a_change_within_its_memory(estimator: Estimator) -> None:
    for seed in (2, 3, 4):  # six seconds: three times the memory
        estimator.estimate(windows(0.25, seed))
    response = estimator.response
    assert response is not None
    high = response.frequency_hz > 1.4 * LOUD_HZ
    old_share = (np.exp(-3) - np.exp(-4)) / (1 - np.exp(-4))
    np.testing.assert_allclose(response.gain_db[high], 20 * np.log10(0.25 + 0.75 * old_share), atol=0.1)
