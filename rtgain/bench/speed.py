"""How fast: the fast clock against time and against the lesson's loop, and what the estimator takes live."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch

from rtgain.audio.engine.engine import Engine
from rtgain.audio.io.offline_driver import OfflineDriver
from rtgain.audio.sources.demo import DemoSource
from rtgain.bench.baselines import LESSON_S, lesson_loss, sgd_baseline
from rtgain.bench.tables import Row
from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.config.session_config import SessionConfig
from rtgain.estimation.estimator import Estimator
from rtgain.estimation.signal_reader import RingSignalReader
from rtgain.estimation.streaming import StreamingEstimator
from rtgain.session.session import Session

FILE_RATE = 44100
FILE_S = 30
LIVE_RATE = 48000
LIVE_S = 20
LESSON_PIECES = 6
GAIN_DB = -12.0

ROWS = 4


def rows() -> Iterator[Row]:
    """Our fast clock, the lesson's loop on the same audio, their ratio, and the live estimator's share of a core."""
    samples = soxr.resample(DemoSource(48000).read(FILE_S * 48000)[0], 48000, FILE_RATE).astype(np.float32)
    ours = FILE_S / fast_clock_s(samples)
    lesson = 1.0 / lesson_s_per_s(samples)
    yield {"what": "fast clock, 44.1 kHz WAV, defaults", "value": ours, "unit": "times real time", "to_reach": "≥ 40",
           "reached": ours >= 40}  # fmt: skip
    yield {"what": "the lesson's loop, same audio", "value": lesson, "unit": "times real time", "to_reach": "",
           "reached": True}  # fmt: skip
    yield {"what": "fast clock over the lesson's loop", "value": ours / lesson, "unit": "times", "to_reach": "≥ 50",
           "reached": ours / lesson >= 50}  # fmt: skip
    share = 100.0 * live_share_of_a_core()
    yield {"what": "estimator live, 48 kHz, steady state", "value": share, "unit": "% of a core", "to_reach": "≤ 15",
           "reached": share <= 15}  # fmt: skip


def fast_clock_s(samples: np.ndarray) -> float:
    """Seconds of the wall clock that a headless session takes for a WAV, from its first frame to its last."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dry.wav"
        soundfile.write(path, samples, FILE_RATE)
        with Session(SessionConfig(input=str(path), gain_db=GAIN_DB), clock="offline") as session:
            session.start()
            begin_s = time.perf_counter()
            while not session.ended:
                session.advance()
            session.finish()
            return time.perf_counter() - begin_s


def lesson_s_per_s(samples: np.ndarray) -> float:
    """Seconds that the lesson's loop takes for a second of audio: 300 steps a half second."""
    frames = round(LESSON_S * FILE_RATE)
    pieces = torch.from_numpy(samples[: LESSON_PIECES * frames]).reshape(LESSON_PIECES, frames)

    sgd_baseline(pieces[0], pieces[0], lesson_loss)
    begin_s = time.perf_counter()
    for piece in pieces:
        sgd_baseline(piece, 0.25 * piece, lesson_loss)
    return (time.perf_counter() - begin_s) / (LESSON_PIECES * LESSON_S)


def live_share_of_a_core() -> float:
    """Processor time of the estimator for every hop's window by itself, as it comes live, over the audio's time."""
    settings = EstimatorSettings.from_config(SessionConfig(), LIVE_RATE)
    taken_s = 0.0
    with Engine(LIVE_RATE) as engine:
        engine.set_reference(gain_db=GAIN_DB)
        driver = OfflineDriver(engine, DemoSource(LIVE_RATE))
        follower = StreamingEstimator(RingSignalReader(engine.memory), Estimator(settings))
        follower.estimator.warm_up()
        for _ in range(LIVE_S * LIVE_RATE // settings.hop_frames):
            driver.advance(settings.hop_frames)
            begin_s = time.process_time()
            follower.advance()
            taken_s += time.process_time() - begin_s
    return taken_s / LIVE_S
