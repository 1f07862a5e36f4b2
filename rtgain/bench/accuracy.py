"""How right the estimate is: every case of the accuracy table, on every signal, with default options."""

import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtgain.audio.engine.engine import Engine
from rtgain.audio.engine.shared_memory import DRY, TARGET
from rtgain.bench.baselines import auraloss_errors_db, lesson_errors_db, lufs_error_db, rms_ratio_errors_db
from rtgain.bench.signals import Signal
from rtgain.bench.tables import Row
from rtgain.config.session_config import make_session_config
from rtgain.records.estimate import Estimate, State
from rtgain.session.offline import run_offline

GAIN_DB = -9.5

LEAST_WITHIN, MOST_WITHIN = 0.90, 0.99
"""How many errors are to lie within two deviations: of a normal distribution's, 95.4 % do."""

EXCERPTS_PER_SIGNAL = 2
"""Half seconds of each case that the slow loops of others are run on."""


@dataclass(frozen=True)
class Case:
    """One row of the table: what is done to the target (`options` of ``rtgain run``), and the error to reach."""

    name: str
    limit_db: float
    options: dict[str, Any] = field(default_factory=dict)
    dry_db: float = 0.0
    snr_db: float | None = None
    silence_s: tuple[float, float] | None = None
    sweeps: bool = False
    goal_with_pauses_db: float | None = None

    @property
    def limit_with_pauses_db(self) -> float:
        """The error to reach on speech: noise fills its pauses."""
        return self.limit_db if self.goal_with_pauses_db is None else self.goal_with_pauses_db

    @property
    def has_random_error(self) -> bool:
        """Whether noise or motion is what its error comes from; elsewhere only rounding is, and filters' ripple."""
        return self.snr_db is not None or self.sweeps


def sweep(duration_s: float, *, depth_db: float = 6.0, rate_hz: float = 0.5) -> str:
    """Breakpoints of a sine in dB, a hundred a second."""
    times_s = np.arange(0.0, duration_s, 0.01)
    gains_db = GAIN_DB + depth_db * np.sin(2.0 * math.pi * rate_hz * times_s)
    return "time_s,gain_db\n" + "".join(f"{t:.2f},{g:.6f}\n" for t, g in zip(times_s, gains_db, strict=True))


CASES = (
    Case("constant", 0.002),
    Case("inverted", 0.002, {"polarity": "invert"}),
    Case("phase 37°", 0.03, {"phase_deg": 37.0}),
    Case("phase 90°", 0.03, {"phase_deg": 90.0}),
    Case("delay 5 ms", 0.02, {"delay_ms": 5.0}),
    Case("delay 100 ms", 0.05, {"delay_ms": 100.0}),
    Case("delay 7.56 ms", 0.02, {"delay_ms": 7.5599}),
    Case("noise −30 dB", 0.012, snr_db=30.0, goal_with_pauses_db=0.1),
    Case("noise −20 dB", 0.04, snr_db=20.0, goal_with_pauses_db=0.3),
    Case("noise −10 dB", 0.12, snr_db=10.0),
    Case("60 dB quieter", 0.002, dry_db=-60.0),
    Case("silence of 2 s", 0.01, silence_s=(4.0, 6.0)),
    Case("±6 dB at 0.5 Hz", 0.1, sweeps=True),
)
"""The table of accuracies: the error to reach, RMS over all estimates that are tracking."""


@dataclass(frozen=True)
class Take:
    """A case made of a signal: the dry samples, and the session's options."""

    samples: NDArray[np.float32]
    sample_rate: int
    options: dict[str, Any]


def take(signal: Signal, case: Case) -> Take:
    """Make the case, all but its automation."""
    samples = signal.samples * np.float32(10.0 ** (case.dry_db / 20.0))
    if case.silence_s is not None:
        begin, end = (round(s * signal.sample_rate) for s in case.silence_s)
        samples[begin:end] = 0.0
    options = {"gain_db": GAIN_DB, **case.options}
    if case.snr_db is not None:
        target_rms = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) * 10.0 ** (GAIN_DB / 20.0)
        options["noise_dbfs"] = 20.0 * math.log10(target_rms) - case.snr_db
    return Take(samples, signal.sample_rate, options)


def trace(taken: Take, automation: str | None = None) -> list[Estimate]:
    """The estimates of a session with default options on the fast clock."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dry.wav"
        soundfile.write(path, taken.samples, taken.sample_rate, subtype="FLOAT")
        options = dict(taken.options)
        if automation is not None:
            table = Path(folder) / "gain.csv"
            table.write_text(automation)
            options["automation"] = str(table)
        estimates: list[Estimate] = []
        config = make_session_config(input=str(path), **options)
        run_offline(config, on_estimates=lambda session, batch: estimates.extend(batch))
        return estimates


def render(taken: Take) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The dry signal and the target as the estimator gets them."""
    options = dict(taken.options)
    polarity = -1 if options.pop("polarity", "normal") == "invert" else 1
    block = taken.sample_rate
    pieces = []
    with Engine(taken.sample_rate, seed=options.pop("seed", 0)) as engine:
        engine.set_reference(polarity=polarity, **options)
        for start in range(0, len(taken.samples), block):
            samples = taken.samples[start : start + block]
            engine.process(samples, None, np.empty((len(samples), 2), np.float32))
            pieces.append(engine.memory.audio.read(start, len(samples))[[DRY, TARGET]].astype(np.float32))
    dry, target = np.concatenate(pieces, axis=1)
    return dry, target


def measure(signal: Signal, case: Case) -> Row:
    """Our row of the table: errors over all estimates that are tracking."""
    taken = take(signal, case)
    automation = sweep(len(taken.samples) / taken.sample_rate) if case.sweeps else None
    tracking = [e for e in trace(taken, automation) if e.state is State.TRACKING]
    errors_db = np.array([e.gain_est_db - e.gain_true_db for e in tracking])
    std_db = np.array([e.std_db for e in tracking])
    rms_db = _rms(errors_db)
    limit_db = case.limit_db if signal.steady else case.limit_with_pauses_db
    return {
        "signal": signal.name,
        "case": case.name,
        "limit_db": limit_db,
        "rtgain_db": rms_db,
        "reached": rms_db <= limit_db,
        "within_2_std": float(np.mean(np.abs(errors_db) <= 2.0 * std_db)) if tracking else math.nan,
        "tracking": len(tracking),
    }


def compare(signal: Signal, case: Case, pieces: int) -> Row:
    """What others make of the same: RMS errors in dB; NaN for a gain that moves, which none of them follows."""
    if case.sweeps:
        return {"lesson_db": math.nan, "rms_ratio_db": math.nan, "lufs_db": math.nan, "auraloss_db": math.nan}
    taken = take(signal, case)
    dry, target = render(taken)
    rest = (dry, target, taken.sample_rate, GAIN_DB)
    return {
        "lesson_db": _rms(lesson_errors_db(*rest, pieces)),
        "rms_ratio_db": _rms(rms_ratio_errors_db(*rest)),
        "lufs_db": abs(lufs_error_db(*rest)),
        "auraloss_db": _rms(auraloss_errors_db(*rest, pieces)),
    }


def rows(signals: Iterable[Signal], *, pieces: int = EXCERPTS_PER_SIGNAL) -> Iterator[Row]:
    """Every case on every signal, and last how many errors lie within two deviations over all that chance makes."""
    by_chance: list[Row] = []
    for signal in signals:
        for case in CASES:
            row = {**measure(signal, case), **compare(signal, case, pieces)}
            by_chance += [row] * case.has_random_error
            yield row
    yield pooled(by_chance)


def pooled(measured: Sequence[Row]) -> Row:
    """The estimates of all these rows together: how many of their errors lie within two deviations."""
    tracking = np.array([row["tracking"] for row in measured])
    inside = np.nansum(tracking * np.array([row["within_2_std"] for row in measured]))
    share = float(inside / tracking.sum()) if tracking.any() else math.nan
    return {
        **dict.fromkeys(measured[0], math.nan),
        "signal": "all",
        "case": "noise and motion",
        "reached": LEAST_WITHIN <= share <= MOST_WITHIN,
        "within_2_std": share,
        "tracking": int(tracking.sum()),
    }


def _rms(errors_db: Sequence[float] | NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(errors_db)))) if len(errors_db) else math.nan
