"""Equalizer benchmark: random equalizers that are learned from sound, and plain Adam on the same measurements.

The baseline descends on the same measured responses with the same processor, `rtgain.ParametricEQ`: Adam with a fixed
learning rate on the L1 distance of levels, weighted by coherence / (1 − coherence), with as many steps per fit.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from rtgain.audio.effects.matched_path import MatchedPath
from rtgain.bench.signals import BenchSignal
from rtgain.bench.tables import Row
from rtgain.config.session_config import make_session_config
from rtgain.dsp.filters import ParametricEQ
from rtgain.dsp.processors import DB_PER_NEPER
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters
from rtgain.records.equalizer_text import format_equalizer, parse_equalizer
from rtgain.records.learned_equalizer import LearnedEqualizer
from rtgain.session.session import Session

EQUALIZERS = 24
"""Random equalizers per signal."""

DURATION_S = 6.0
GAIN_DB = -6.0

SETTLED_DB = 0.5
MIN_COHERENCE = 0.9
"""Coherence from which a band counts for the error of the response."""

GOALS = {"response_db": (0.25, 0.6), "null_db": (-30.0, -18.0), "settle_s": (2.0, 2.0)}
"""Largest median, and largest value of all equalizers."""

Response = Callable[[NDArray[np.float64], float], NDArray[np.complex128]]
"""Complex response at frequencies in Hz, for a sample rate in Hz."""

ADAM_LR, ADAM_STEPS = 0.05, 6


@dataclass(frozen=True)
class Measurement:
    """Error of the response, null and settling time of one equalizer, and the error of the baseline."""

    response_db: float
    null_db: float
    settle_s: float
    adam_response_db: float


def rows(signals: Iterable[BenchSignal], equalizers: int = EQUALIZERS) -> Iterator[Row]:
    """Measure one row per signal: medians and worst values of `equalizers` random equalizers; then a flat target."""
    for signal in signals:
        measurements = [measure(signal, random_equalizer(seed, signal.sample_rate)) for seed in range(equalizers)]
        row: Row = {"signal": signal.name, "equalizers": equalizers}
        reached = True
        for name, goals in GOALS.items():
            values = [getattr(measurement, name) for measurement in measurements]
            row |= {f"{name}_median": float(np.median(values)), f"{name}_worst": max(values)}
            reached &= np.median(values) <= goals[0] and max(values) <= goals[1]
        row["adam_median"] = float(np.median([measurement.adam_response_db for measurement in measurements]))
        row["adam_worst"] = max(measurement.adam_response_db for measurement in measurements)
        flat = learn(signal, EqualizerFilters())[-1].equalizer
        row["flat_db"] = max(abs(item.gain_db) for item in flat.filters)
        row["flat_gain_error_db"] = abs(flat.gain_db - GAIN_DB)
        row["reached"] = bool(reached and row["flat_db"] <= 0.05)
        yield row


def random_equalizer(seed: int, sample_rate: int) -> EqualizerFilters:
    """Draw an equalizer: ±9 dB per filter, within half an octave of the learner's first frequencies."""
    random = np.random.default_rng(seed)
    filters = []
    for name, kind in zip(ParametricEQ.NAMES, ParametricEQ.KINDS, strict=True):
        octave = ParametricEQ.info[f"{name}_octaves"].default + random.uniform(-0.5, 0.5)
        q = 2.0 ** random.uniform(-1.0, 1.5) if kind == "peak" else random.uniform(0.5, 1.0)
        frequency_hz = min(1000.0 * 2.0**octave, 0.4 * sample_rate)
        filters.append(EqualizerFilter(kind, frequency_hz, random.uniform(-9.0, 9.0), q))
    # Rounded as in a file, from which the reference path reads it.
    return parse_equalizer(format_equalizer(EqualizerFilters(0.0, tuple(filters))), "equalizer")


def learn(signal: BenchSignal, equalizer: EqualizerFilters) -> list[LearnedEqualizer]:
    """Return everything that an offline session learns about `equalizer` behind the reference gain."""
    with tempfile.TemporaryDirectory() as folder:
        dry, text = Path(folder) / "dry.wav", Path(folder) / "eq.txt"
        frames = round(DURATION_S * signal.sample_rate)
        soundfile.write(dry, signal.samples[:frames], signal.sample_rate, subtype="FLOAT")
        text.write_text(format_equalizer(equalizer))
        config = make_session_config(input=str(dry), eq=str(text), processor="eq", gain_db=GAIN_DB)
        learned: list[LearnedEqualizer] = []
        with Session(config, clock="offline", keep_all_estimates=True) as session:
            session.start()
            while not session.is_finished:
                session.advance()
                learned += session.pop_equalizers()
            session.drain()
            learned += session.pop_equalizers()
        return learned


def measure(signal: BenchSignal, equalizer: EqualizerFilters) -> Measurement:
    """Learn one equalizer, and evaluate what was learned at the end, and from when on it was right."""
    learned, rate = learn(signal, equalizer), signal.sample_rate
    true = EqualizerFilters(GAIN_DB + equalizer.gain_db, equalizer.filters)
    errors_db = [response_error_db(item, true, item.equalizer.response, rate) for item in learned]
    times_s = [item.available_frame / rate for item in learned]
    unsettled = [time_s for time_s, error in zip(times_s, errors_db, strict=True) if error > SETTLED_DB]
    return Measurement(
        errors_db[-1],
        null_db(signal, true, learned[-1].equalizer),
        max(unsettled, default=times_s[0]),
        response_error_db(learned[-1], true, fit_by_adam(learned, rate).filters.response, rate),
    )


def response_error_db(learned: LearnedEqualizer, true: EqualizerFilters, response: Response, sample_rate: int) -> float:
    """Compute the RMS level error of a response, a function of Hz and sample rate, over the coherent bands."""
    hz = learned.measured.frequency_hz[learned.measured.coherence >= MIN_COHERENCE]
    ratio = np.abs(response(hz, sample_rate) / true.response(hz, sample_rate))
    return float(np.sqrt(np.mean((20.0 * np.log10(ratio)) ** 2)))


def null_db(signal: BenchSignal, true: EqualizerFilters, learned: EqualizerFilters) -> float:
    """Compute the level of target − matched relative to the target in the last two of `DURATION_S`."""
    rate = signal.sample_rate
    target, matched = (filtered(signal, item)[round((DURATION_S - 2.0) * rate) :] for item in (true, learned))
    return float(10.0 * np.log10(np.sum((target - matched) ** 2) / np.sum(target**2)))


def filtered(signal: BenchSignal, equalizer: EqualizerFilters) -> NDArray[np.float64]:
    """Filter the first `DURATION_S` of a signal."""
    path = MatchedPath(signal.sample_rate)
    path.set_equalizer(equalizer.coefficients(signal.sample_rate))
    samples = signal.samples[None, : round(DURATION_S * signal.sample_rate)]
    gain = 10.0 ** (equalizer.gain_db / 20.0)
    output: NDArray[np.float64] = path.process(samples, gains=[gain], delays_frames=[0.0])[0].astype(np.float64)
    return output


def fit_by_adam(learned: Iterable[LearnedEqualizer], sample_rate: int) -> ParametricEQ:
    """Descend with plain Adam on the measured responses, in order."""
    equalizer = ParametricEQ(sample_rate)
    optimizer = torch.optim.Adam(equalizer.parameters(), lr=ADAM_LR)
    for item in learned:
        measured = item.measured
        omega = torch.from_numpy(2.0 * np.pi / sample_rate * measured.frequency_hz).float()
        level_db = torch.from_numpy(measured.gain_db).float()
        coherence = torch.from_numpy(measured.coherence).float().clamp(0.0, 0.9999)
        weights = coherence / (1.0 - coherence)
        for _ in range(ADAM_STEPS):
            optimizer.zero_grad()
            fitted_db = DB_PER_NEPER * equalizer.response(omega)[0].abs().log()
            loss = (weights * (fitted_db - level_db).abs()).sum() / weights.sum()
            torch.autograd.backward(loss)
            optimizer.step()
            equalizer.clamp_parameters()
    return equalizer
