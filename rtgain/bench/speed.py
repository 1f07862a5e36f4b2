"""Speed benchmark: the offline clock against real time and against a plain SGD loop, and the estimator's live load."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from numpy.typing import NDArray

from rtgain.audio.engine.engine import Engine
from rtgain.audio.io.offline_driver import OfflineDriver
from rtgain.audio.sources.demo import DemoSource
from rtgain.bench.baselines import EXCERPT_S, plain_spectral_loss, sgd_baseline
from rtgain.bench.tables import Row
from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.config.names import ProcessorName
from rtgain.config.session_config import SessionConfig
from rtgain.estimation.estimator import Estimator
from rtgain.estimation.signal_reader import RingSignalReader
from rtgain.estimation.streaming import StreamingEstimator
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters
from rtgain.session.offline import run_offline

FILE_RATE = 44100
FILE_S = 30
LIVE_RATE = 48000
LIVE_S = 20
SGD_EXCERPTS = 6
GAIN_DB = -12.0

EQUALIZER = EqualizerFilters(
    0.0, (EqualizerFilter("low_shelf", 120.0, 6.0, 0.7), EqualizerFilter("peak", 2000.0, -4.0, 1.0))
)

MIN_OFFLINE_SPEED = 40.0
MIN_SPEED_RATIO = 50.0
LIVE_LOADS: dict[str, tuple[int, ProcessorName, float]] = {
    "mono": (1, "gain", 15.0),
    "stereo": (2, "gain", 22.0),
    "equalizer, stereo": (2, "eq", 35.0),
}
"""Channels, processor, and largest load in percent of a core."""

ROW_COUNT = 3 + len(LIVE_LOADS)


def rows() -> Iterator[Row]:
    """Measure the offline clock, the SGD loop on the same audio, their ratio, and the live estimator's loads."""
    samples = soxr.resample(DemoSource(48000).read(FILE_S * 48000)[0], 48000, FILE_RATE).astype(np.float32)
    offline = offline_speed(samples)
    sgd = sgd_speed(samples)
    yield _row("offline clock, 44.1 kHz WAV, defaults", offline, "times real time", f"≥ {MIN_OFFLINE_SPEED:g}",
               offline >= MIN_OFFLINE_SPEED)  # fmt: skip
    yield _row("SGD loop, same audio", sgd, "times real time", "", True)
    yield _row("offline clock relative to the SGD loop", offline / sgd, "times", f"≥ {MIN_SPEED_RATIO:g}",
               offline / sgd >= MIN_SPEED_RATIO)  # fmt: skip
    for name, (channels, processor, limit) in LIVE_LOADS.items():
        load_percent = 100.0 * live_load(channels, processor)
        yield _row(f"estimator live, 48 kHz, {name}, steady state", load_percent, "% of a core", f"≤ {limit:g}",
                   load_percent <= limit)  # fmt: skip


def offline_speed(samples: NDArray[np.float32]) -> float:
    """Seconds of audio per second that a session on the offline clock processes, from its first frame to its last."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dry.wav"
        soundfile.write(path, samples, FILE_RATE)
        speed = run_offline(SessionConfig(input=str(path), gain_db=GAIN_DB)).summary.realtime_factor
        assert speed is not None
        return speed


def sgd_speed(samples: NDArray[np.float32]) -> float:
    """Seconds of audio per second that the SGD loop processes, with 300 steps per half second of audio."""
    frames = round(EXCERPT_S * FILE_RATE)
    excerpts = torch.from_numpy(samples[: SGD_EXCERPTS * frames]).reshape(SGD_EXCERPTS, frames)
    sgd_baseline(excerpts[0], excerpts[0], plain_spectral_loss)
    begin_s = time.perf_counter()
    for excerpt in excerpts:
        sgd_baseline(excerpt, 0.25 * excerpt, plain_spectral_loss)
    return SGD_EXCERPTS * EXCERPT_S / (time.perf_counter() - begin_s)


def live_load(channels: int, processor: ProcessorName) -> float:
    """Processor time of the estimator, which processes each hop's window on its own as in a live session, over time."""
    settings = EstimatorSettings.from_config(SessionConfig(processor=processor), LIVE_RATE)
    elapsed_s = 0.0
    with Engine(LIVE_RATE, channels=channels) as engine:
        engine.reference.set(gain_db=GAIN_DB)
        if processor == "eq":
            engine.reference.set_equalizer(EQUALIZER)
        driver = OfflineDriver(engine, DemoSource(LIVE_RATE, channels))
        streaming = StreamingEstimator(
            RingSignalReader(engine.memory.audio, engine.memory.control), Estimator(settings)
        )
        streaming.estimator.warm_up()
        for _ in range(LIVE_S * LIVE_RATE // settings.hop_frames):
            driver.advance(settings.hop_frames)
            begin_s = time.process_time()
            streaming.advance()
            elapsed_s += time.process_time() - begin_s
    return elapsed_s / LIVE_S


def _row(what: str, value: float, unit: str, goal: str, reached: bool) -> Row:
    return {"what": what, "value": value, "unit": unit, "to_reach": goal, "reached": reached}
