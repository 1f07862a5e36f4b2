"""Equalizer benchmark: random equalizers that are learned from sound, and Adam on the same measurements.

The baselines descend on the same measured responses: Adam with a fixed learning rate on the L1 distance of levels,
weighted by coherence / (1 − coherence), with as many steps per fit. One has the same processor, `rtgain.ParametricEQ`.
The other has the equalizer of dasp-pytorch, if it is installed.
"""

import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

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

NOISE_DB = -20.0
"""Level of the noise relative to the target."""

NOISY_EQUALIZERS = 6

SWEEP_S = (2.0, 4.0)
SWEEP_OCTAVES = (-1.0, 1.0)
SWEEP_GAIN_DB = 6.0
"""Peak whose center moves over octaves from 1 kHz, between two times."""

LOW_PASS_HZ, FLOOR_DBFS = 1000.0, -90.0
"""Highest frequency of a signal without high ones, and the level of the noise that fills the rest of its target."""

MAX_NOISY_DB, MAX_FOLLOW_S, MAX_FLAT_DB, MAX_GAIN_DB = 0.5, 1.0, 0.05, 0.002
"""The last one is the goal of the gain without an equalizer (docs/estimation.md, accuracy of a constant gain)."""

HAS_DASP = find_spec("dasp_pytorch") is not None

DASP_FRAMES = 4096
"""Length of the impulse response from which the response of dasp-pytorch's equalizer is computed."""

GOALS = {"error_db": (0.25, 0.6), "null_db": (-30.0, -18.0), "settle_s": (2.0, 2.0)}
"""Largest median, and largest value of all equalizers."""

ResponseFunction = Callable[[ParametricEQ, Tensor], Tensor]
"""Complex response, ``(K,)``, of an equalizer with given parameters at angular frequencies in radians per sample."""

Response = Callable[[NDArray[np.float64], float], NDArray[np.complex128]]
"""Complex response at frequencies in Hz, for a sample rate in Hz."""

ADAM_LR, ADAM_STEPS = 0.05, 6


@dataclass(frozen=True)
class Measurement:
    """Error of the response, null and settling time of one equalizer, and the errors of the baselines.

    The settling time is that of sound, without pauses. The error of dasp-pytorch is NaN if it is not installed.
    """

    error_db: float
    null_db: float
    settle_s: float
    adam_db: float
    dasp_db: float


def rows(signals: Iterable[BenchSignal], equalizers: int = EQUALIZERS) -> Iterator[Row]:
    """Measure one row per signal: medians and worst values of `equalizers` random equalizers, and the special cases.

    The special cases are noise, a flat target, a peak that moves, and a signal without high frequencies.
    """
    for signal in signals:
        random = [random_equalizer(seed, signal.sample_rate) for seed in range(equalizers)]
        measurements = [measure(signal, equalizer) for equalizer in random]
        row: Row = {"signal": signal.name, "equalizers": equalizers}
        reached = True
        for name, goals in GOALS.items():
            values = [getattr(measurement, name) for measurement in measurements]
            row |= {name: float(np.median(values)), f"{name.rpartition('_')[0]}_worst": max(values)}
            reached &= np.median(values) <= goals[0] and max(values) <= goals[1]
        for name in ("adam_db", "dasp_db"):
            row[name] = float(np.median([getattr(item, name) for item in measurements]))
        row["noisy_db"] = max(noisy_response_db(signal, equalizer) for equalizer in random[:NOISY_EQUALIZERS])
        row["follow_s"] = follow_s(signal)
        flat = learn(signal, EqualizerFilters())[-1].equalizer
        row["flat_db"] = max(abs(item.gain_db) for item in flat.filters)
        row["flat_gain_db"] = abs(flat.gain_db - GAIN_DB)
        row["held_db"] = held_db(signal, random[0])
        reached &= row["noisy_db"] <= MAX_NOISY_DB and row["follow_s"] <= MAX_FOLLOW_S
        reached &= row["flat_db"] <= MAX_FLAT_DB and row["flat_gain_db"] <= MAX_GAIN_DB
        row["reached"] = bool(reached and row["held_db"] == 0.0)
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


def learn(
    signal: BenchSignal,
    equalizer: EqualizerFilters,
    noise_dbfs: float | None = None,
    changed: Callable[[float], EqualizerFilters] | None = None,
) -> list[LearnedEqualizer]:
    """Return everything that an offline session learns about `equalizer` behind the reference gain.

    With `changed`, a function of the time in seconds, the equalizer is replaced while the session runs.
    """
    with tempfile.TemporaryDirectory() as folder:
        dry, text = Path(folder) / "dry.wav", Path(folder) / "eq.txt"
        frames = round(DURATION_S * signal.sample_rate)
        soundfile.write(dry, signal.samples[:frames], signal.sample_rate, subtype="FLOAT")
        text.write_text(format_equalizer(equalizer))
        config = make_session_config(
            input=str(dry), eq=str(text), processor="eq", gain_db=GAIN_DB, noise_dbfs=noise_dbfs, seed=1
        )
        learned: list[LearnedEqualizer] = []
        with Session(config, clock="offline", keep_all_estimates=True) as session:
            session.start()
            while not session.is_finished:
                if changed is not None:
                    session.set_reference(equalizer=changed(session.frames / signal.sample_rate))
                session.advance()
                learned += session.pop_equalizers()
            session.drain()
            learned += session.pop_equalizers()
        return learned


def noisy_response_db(signal: BenchSignal, equalizer: EqualizerFilters) -> float:
    """Compute the error of the response with noise at `NOISE_DB` below the target."""
    true = EqualizerFilters(GAIN_DB + equalizer.gain_db, equalizer.filters)
    noise_dbfs = 10.0 * math.log10(np.mean(filtered(signal, true) ** 2)) + NOISE_DB
    learned = learn(signal, equalizer, noise_dbfs)
    return response_error_db(learned[-1], true, learned[-1].equalizer.response, signal.sample_rate)


def follow_s(signal: BenchSignal) -> float:
    """Compute the time in seconds from the end of a peak's movement until the error is below `SETTLED_DB` and stays."""

    def moved(time_s: float) -> EqualizerFilters:
        share = np.clip((time_s - SWEEP_S[0]) / (SWEEP_S[1] - SWEEP_S[0]), 0.0, 1.0)
        octaves = SWEEP_OCTAVES[0] + share * (SWEEP_OCTAVES[1] - SWEEP_OCTAVES[0])
        return EqualizerFilters(0.0, (EqualizerFilter("peak", 1000.0 * 2.0**octaves, SWEEP_GAIN_DB, 1.0),))

    learned, rate = learn(signal, moved(0.0), changed=moved), signal.sample_rate
    true = EqualizerFilters(GAIN_DB, moved(SWEEP_S[1]).filters)
    bad_s = [
        item.available_frame / rate
        for item in learned
        if response_error_db(item, true, item.equalizer.response, rate) > SETTLED_DB
    ]
    return max(0.0, max(bad_s, default=0.0) - SWEEP_S[1])


def held_db(signal: BenchSignal, equalizer: EqualizerFilters) -> float:
    """Compute the gain of the high shelf that is learned without high frequencies; infinite if it counts as known."""
    frames = round(DURATION_S * signal.sample_rate)
    spectrum = np.fft.rfft(signal.samples[:frames])
    spectrum[round(LOW_PASS_HZ * DURATION_S) :] = 0.0
    low = BenchSignal(signal.name, np.fft.irfft(spectrum, frames).astype(np.float32), signal.sample_rate)
    learned = learn(low, equalizer, FLOOR_DBFS)[-1]
    return math.inf if learned.known[-1] else abs(learned.equalizer.filters[-1].gain_db)


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
        signal.sound_s(max(unsettled, default=times_s[0])),
        adam_error_db(learned, true, _own_response, rate),
        adam_error_db(learned, true, _dasp_response, rate) if HAS_DASP else math.nan,
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


def adam_error_db(
    learned: list[LearnedEqualizer], true: EqualizerFilters, response: ResponseFunction, sample_rate: int
) -> float:
    """Compute the error of what Adam learns with this response; infinite if it diverges."""
    equalizer = fit_by_adam(learned, sample_rate, response)
    if not all(bool(parameter.isfinite().all()) for parameter in equalizer.parameters()):
        return math.inf
    return response_error_db(learned[-1], true, equalizer.filters.response, sample_rate)


def fit_by_adam(learned: Iterable[LearnedEqualizer], sample_rate: int, response: ResponseFunction) -> ParametricEQ:
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
            fitted_db = DB_PER_NEPER * response(equalizer, omega).abs().log()
            loss = (weights * (fitted_db - level_db).abs()).sum() / weights.sum()
            torch.autograd.backward(loss)
            optimizer.step()
            equalizer.clamp_parameters()
    return equalizer


def _own_response(equalizer: ParametricEQ, omega: Tensor) -> Tensor:
    return equalizer.response(omega)[0]


def _dasp_response(equalizer: ParametricEQ, omega: Tensor) -> Tensor:
    """Response of dasp-pytorch's equalizer, which filters an impulse; its low shelf and peaks have other names."""
    from dasp_pytorch.functional import parametric_eq

    bands = ("low_shelf", "band0", "band1", "band2", "band3", "high_shelf")
    parameters = {}
    for ours, theirs in zip(equalizer.NAMES, bands, strict=True):
        parameters[f"{theirs}_gain_db"] = getattr(equalizer, f"{ours}_gain_db")
        parameters[f"{theirs}_cutoff_freq"] = 1000.0 * torch.exp2(getattr(equalizer, f"{ours}_octaves"))
        parameters[f"{theirs}_q_factor"] = getattr(equalizer, f"{ours}_q")
    impulse = torch.zeros(1, 1, DASP_FRAMES)
    impulse[..., 0] = 1.0
    output = parametric_eq(impulse, equalizer.sample_rate, **parameters)[0, 0]
    delays = torch.polar(torch.ones(1), -omega[:, None] * torch.arange(DASP_FRAMES))
    response: Tensor = torch.exp(equalizer.gain_db / DB_PER_NEPER) * (delays @ output.to(delays.dtype))
    return response
