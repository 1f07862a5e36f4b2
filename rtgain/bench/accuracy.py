"""Accuracy benchmark: every case on every signal with default options, compared with other methods."""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.engine.engine import Engine
from rtgain.bench.baselines import (
    auraloss_errors_db,
    lufs_error_db,
    rms_ratio_errors_db,
    sgd_baseline_errors_db,
)
from rtgain.bench.case_signal import GAIN_DB, LAYOUTS, Case, CaseSignal, make_case_signal, sweep
from rtgain.bench.signals import BenchSignal
from rtgain.bench.tables import Row
from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.config.session_config import make_session_config
from rtgain.estimation.estimator import Estimator
from rtgain.estimation.signal_reader import RingSignalReader
from rtgain.estimation.streaming import StreamingEstimator
from rtgain.records.estimate import Estimate, State
from rtgain.session.offline import render_reference

MIN_COVERAGE, MAX_COVERAGE = 0.90, 0.99
"""Acceptable share of errors within two standard deviations; for a normal distribution it is 95.4 %."""

EXCERPTS_PER_SIGNAL = 2
"""Excerpts of each case, half a second each, that the slow baselines run on."""

NOT_COMPARED: Row = dict.fromkeys(("lesson_db", "rms_ratio_db", "lufs_db", "auraloss_db"), math.nan)
"""Errors of other methods where they are not measured."""

CASES = (
    Case("constant", 0.002),
    Case("inverted", 0.002, {"polarity": "invert"}),
    Case("phase 37°", 0.03, {"phase_deg": 37.0}),
    Case("phase 90°", 0.03, {"phase_deg": 90.0}),
    Case("delay 5 ms", 0.02, {"delay_ms": 5.0}),
    Case("delay 100 ms", 0.05, {"delay_ms": 100.0}),
    Case("delay 7.56 ms", 0.02, {"delay_ms": 7.5599}),
    Case("noise −30 dB", 0.012, snr_db=30.0, speech_goal_db=0.1),
    Case("noise −20 dB", 0.04, snr_db=20.0, speech_goal_db=0.3),
    Case("noise −10 dB", 0.12, snr_db=10.0),
    Case("60 dB quieter", 0.002, dry_db=-60.0),
    Case("silence of 2 s", 0.01, silence_s=(4.0, 6.0)),
    Case("±6 dB at 0.5 Hz", 0.1, sweeps=True),
)
"""Rows of the accuracy table. The error is the RMS over all estimates that are tracking."""


def rows(signals: Iterable[BenchSignal], *, excerpts: int = EXCERPTS_PER_SIGNAL) -> Iterator[Row]:
    """Measure every case on every signal in every layout; the last row pools the cases with random errors."""
    random_rows: list[Row] = []
    for signal in signals:
        for layout in LAYOUTS:
            for case in CASES:
                others = compare(signal, case, excerpts) if layout == "mono" else NOT_COMPARED
                row = {**measure(signal, case, layout), **others}
                random_rows += [row] * case.has_random_error
                yield row
    yield pooled(random_rows)


def row_count(signals: Sequence[BenchSignal]) -> int:
    """Return the number of rows of the table."""
    return len(signals) * len(LAYOUTS) * len(CASES) + 1


def measure(signal: BenchSignal, case: Case, layout: str = "mono") -> Row:
    """Measure rtgain's errors in one case and one of `LAYOUTS`, over all estimates that are tracking.

    `channel_db` is the largest RMS error of a channel's own gain, relative to the reference gain.
    """
    estimates = estimate_case(make_case_signal(signal, case), layout, sweeps=case.sweeps)
    tracking = [e for e in estimates if e.state is State.TRACKING]
    errors_db = np.array([e.gain_est_db - e.gain_true_db for e in tracking])
    std_db = np.array([e.std_db for e in tracking])
    rms_db = _rms(errors_db)
    goal_db = case.goal_for(signal)
    channel_errors_db = np.array([np.subtract(e.channel_gains_db, e.gain_true_db) for e in tracking])
    channel_db = max((_rms(x[np.isfinite(x)]) for x in channel_errors_db.T), default=math.nan)
    return {
        "signal": signal.name,
        "layout": layout,
        "case": case.name,
        "limit_db": goal_db,
        "rtgain_db": rms_db,
        "channel_db": channel_db,
        "reached": rms_db <= goal_db,
        "within_2_std": float(np.mean(np.abs(errors_db) <= 2.0 * std_db)) if tracking else math.nan,
        "tracking": len(tracking),
    }


def estimate_case(prepared: CaseSignal, layout: str, *, sweeps: bool = False) -> list[Estimate]:
    """Estimate a case's gain in one of `LAYOUTS` through the engine, as an offline session does."""
    samples, sample_rate = prepared.channels(layout), prepared.sample_rate
    config = make_session_config(**prepared.options)
    settings = EstimatorSettings.from_config(config, sample_rate)
    estimates: list[Estimate] = []
    with Engine(sample_rate, channels=len(samples), seed=config.seed) as engine:
        engine.reference.set(**config.reference_parameters())
        if sweeps:
            times_s, gains_db = sweep(samples.shape[1] / sample_rate)
            engine.reference.set_automation(np.round(times_s * sample_rate).astype(np.int64), gains_db)
        streaming = StreamingEstimator(RingSignalReader(engine.memory.audio), Estimator(settings))
        for start in range(0, samples.shape[1], sample_rate):
            block = samples[:, start : start + sample_rate]
            engine.process(block, None, np.empty((block.shape[1], 2), np.float32))
            while batch := streaming.advance():
                estimates += batch
    return estimates


def compare(signal: BenchSignal, case: Case, excerpts: int) -> Row:
    """Measure the RMS errors of other methods in dB; NaN if the gain moves, which none of them can track."""
    if case.sweeps:
        return NOT_COMPARED
    prepared = make_case_signal(signal, case)
    dry, target = render_reference(prepared.samples, prepared.sample_rate, **prepared.options)
    pair = (dry, target, prepared.sample_rate, GAIN_DB)
    return {
        "lesson_db": _rms(sgd_baseline_errors_db(*pair, excerpts)),
        "rms_ratio_db": _rms(rms_ratio_errors_db(*pair)),
        "lufs_db": abs(lufs_error_db(*pair)),
        "auraloss_db": _rms(auraloss_errors_db(*pair, excerpts)),
    }


def pooled(measured: Sequence[Row]) -> Row:
    """Compute the share of errors within two standard deviations over the estimates of all rows."""
    tracking = np.array([row["tracking"] for row in measured])
    inside = np.nansum(tracking * np.array([row["within_2_std"] for row in measured]))
    share = float(inside / tracking.sum()) if tracking.any() else math.nan
    return {
        **dict.fromkeys(measured[0], math.nan),
        "signal": "all",
        "case": "noise and motion",
        "reached": MIN_COVERAGE <= share <= MAX_COVERAGE,
        "within_2_std": share,
        "tracking": int(tracking.sum()),
    }


def _rms(errors_db: Sequence[float] | NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(errors_db)))) if len(errors_db) else math.nan
