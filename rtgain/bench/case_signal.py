"""Test cases of the benchmarks: a signal, prepared for one condition, with the options of its session."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtgain.bench.signals import BenchSignal

GAIN_DB = -9.5
"""Reference gain of all cases."""


@dataclass(frozen=True)
class Case:
    """One condition of the accuracy table.

    Attributes:
        goal_db: largest acceptable RMS error.
        options: options of ``rtgain run`` that make the condition.
        dry_db: gain that is applied to the signal before the session.
        snr_db: RMS level of the target over that of the noise; None without noise.
        silence_s: begin and end of a silence in seconds.
        sweeps: True if an automation moves the gain.
        speech_goal_db: goal on signals with pauses, which noise fills; None for `goal_db`.
    """

    name: str
    goal_db: float
    options: dict[str, Any] = field(default_factory=dict)
    dry_db: float = 0.0
    snr_db: float | None = None
    silence_s: tuple[float, float] | None = None
    sweeps: bool = False
    speech_goal_db: float | None = None

    def goal_for(self, signal: BenchSignal) -> float:
        """Goal in dB on `signal`."""
        return self.goal_db if signal.is_steady or self.speech_goal_db is None else self.speech_goal_db

    @property
    def has_random_error(self) -> bool:
        """True if noise or motion causes the error. The other errors come from rounding and filter ripple only."""
        return self.snr_db is not None or self.sweeps


LAYOUTS = ("mono", "stereo", "right silent", "anti-phase")
"""Channels of the dry signal: one; two at different times of the recording; one and silence; one and its inverse."""


@dataclass(frozen=True)
class CaseSignal:
    """A signal prepared for a case: dry samples ``(frames,)``, and the options of the session."""

    samples: NDArray[np.float32]
    sample_rate: int
    options: dict[str, Any]

    def channels(self, layout: str) -> NDArray[np.float32]:
        """Lay the samples out on channels, ``(channels, frames)``, as one of `LAYOUTS`."""
        right = {
            "mono": None,
            "stereo": np.roll(self.samples, len(self.samples) // 2),
            "right silent": np.zeros_like(self.samples),
            "anti-phase": -self.samples,
        }[layout]
        return np.stack([self.samples] if right is None else [self.samples, right])


def make_case_signal(signal: BenchSignal, case: Case) -> CaseSignal:
    """Prepare `signal` for `case`, except for its automation."""
    samples = signal.samples * np.float32(10.0 ** (case.dry_db / 20.0))
    if case.silence_s is not None:
        begin, end = (round(s * signal.sample_rate) for s in case.silence_s)
        samples[begin:end] = 0.0
    options = {"gain_db": GAIN_DB, **case.options}
    if case.snr_db is not None:
        target_rms = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) * 10.0 ** (GAIN_DB / 20.0)
        options["noise_dbfs"] = 20.0 * math.log10(target_rms) - case.snr_db
    return CaseSignal(samples, signal.sample_rate, options)


def sweep(
    duration_s: float, *, depth_db: float = 6.0, rate_hz: float = 0.5
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times in s and gains in dB of an automation: a sine in dB around `GAIN_DB`, with 100 breakpoints per second."""
    times_s = np.arange(0.0, duration_s, 0.01)
    return times_s, GAIN_DB + depth_db * np.sin(2.0 * math.pi * rate_hz * times_s)


def sweep_csv(duration_s: float) -> str:
    """CSV of the automation `sweep`."""
    rows = zip(*sweep(duration_s), strict=True)
    return "time_s,gain_db\n" + "".join(f"{time_s:.2f},{gain_db:.6f}\n" for time_s, gain_db in rows)
