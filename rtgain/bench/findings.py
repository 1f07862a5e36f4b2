"""Findings benchmark: every kind of difference at three strengths on every signal, and pairs without a difference.

Each pair is made from a signal with known values and explained at its known gain, so that the table shows the limits of
the analysis alone.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtgain.bench.signals import BenchSignal
from rtgain.bench.tables import Row
from rtgain.match.explain import Explanation, explain
from rtgain.match.findings import PairFacts
from rtgain.match.result import ChannelMatch
from rtgain.records.finding import Finding, FindingKind

GAIN_DB = -6.0

CHUNK_FRAMES = 65536

Samples = NDArray[np.float64]
"""Samples of all channels, ``(C, frames)``."""


@dataclass(frozen=True)
class FindingCase:
    """One kind of difference at three strengths, weakest first.

    Attributes:
        name: name of the row.
        kinds: kinds that are expected.
        strengths: three numbers in the unit of the name.
        make: target from dry signal, sample rate and strength, without the gain.
        value: measured strength, from the finding of the first kind; None if it has none.
        allowed: further kinds that are right too.
        dry_snr_db: signal-to-noise ratio of the dry recording at a strength.
    """

    name: str
    kinds: tuple[FindingKind, ...]
    strengths: tuple[float, float, float]
    make: Callable[[Samples, int, float], Samples]
    value: Callable[[Finding], float] | None = None
    allowed: tuple[FindingKind, ...] = ()
    dry_snr_db: Callable[[float], float] = lambda _: math.inf


def add_noise(samples: Samples, _: int, snr_db: float, seed: int = 0) -> Samples:
    """Add white noise, `snr_db` below the RMS of all channels."""
    rms = math.sqrt(float(np.mean(samples**2)))
    noise = np.random.default_rng(seed).standard_normal(samples.shape)
    noisy: Samples = samples + rms * 10.0 ** (-snr_db / 20.0) * noise
    return noisy


def shelf(samples: Samples, sample_rate: int, boost_db: float) -> Samples:
    """Boost the bass below 200 Hz: the analog prototype of a low shelf, applied to the spectrum."""
    size = 2 * samples.shape[1]
    relative = np.fft.rfftfreq(size, 1.0 / sample_rate) / 200.0
    root = 10.0 ** (boost_db / 40.0)
    s = 1j * relative
    response = (s * s + math.sqrt(2.0 * root) * s + root) / (s * s + math.sqrt(2.0 / root) * s + 1.0 / root)
    return _filtered(samples, response)


def low_pass(samples: Samples, sample_rate: int, nyquist_share: float) -> Samples:
    """Remove everything above a share of half the sample rate, as a codec does."""
    frequencies = np.fft.rfftfreq(2 * samples.shape[1], 1.0 / sample_rate)
    limit_hz = nyquist_share * sample_rate / 2.0
    return _filtered(samples, np.clip((1.03 * limit_hz - frequencies) / (0.06 * limit_hz), 0.0, 1.0) + 0j)


def _filtered(samples: Samples, response: NDArray[np.complex128]) -> Samples:
    size = 2 * samples.shape[1]
    filtered: Samples = np.fft.irfft(np.fft.rfft(samples, size) * response, size)[:, : samples.shape[1]]
    return filtered


def compress(samples: Samples, sample_rate: int, ratio: float) -> Samples:
    """Compress above the RMS level of the signal: RMS detector, attack 5 ms, release 50 ms."""
    attack, release = (-math.expm1(-1.0 / (time_s * sample_rate)) for time_s in (0.005, 0.05))
    power = np.mean(samples**2, axis=0)
    threshold = float(power.mean())
    levels = np.empty_like(power)
    level = 0.0
    for frame, value in enumerate(power.tolist()):
        level += (attack if value > level else release) * (value - level)
        levels[frame] = level
    compressed: Samples = samples * np.maximum(levels / threshold, 1.0) ** ((1.0 / ratio - 1.0) / 2.0)
    return compressed


def saturate(samples: Samples, _: int, drive_db: float) -> Samples:
    """Distort by a hyperbolic tangent that the peaks drive by `drive_db`."""
    drive = 10.0 ** (drive_db / 20.0) / np.abs(samples).max()
    saturated: Samples = np.tanh(drive * samples) / drive
    return saturated


def fade(samples: Samples, _: int, range_db: float) -> Samples:
    """Fade by `range_db` along a line, over the middle of the signal."""
    frames = samples.shape[1]
    curve_db = np.interp(np.arange(frames) / frames, [0.0, 0.2, 0.8, 1.0], [0.0, 0.0, -range_db, -range_db])
    target: Samples = samples * 10.0 ** (curve_db / 20.0)
    return target


def stretch(samples: Samples, _: int, percent: float) -> Samples:
    """Play slower by `percent`."""
    times = np.arange(samples.shape[1]) * (1.0 - percent / 100.0)
    return np.stack([np.interp(times, np.arange(samples.shape[1]), channel) for channel in samples])


CASES = (
    FindingCase("gain alone", (), (0.0, 0.0, 0.0), lambda samples, rate, _: samples),
    FindingCase("noise (dB)", ("noise",), (30.0, 20.0, 10.0), add_noise, lambda f: -f.values["level_db"]),
    FindingCase(
        "noise in the dry recording (dB)", ("noise",), (30.0, 20.0, 10.0), lambda samples, rate, _: samples,
        lambda f: -f.values["level_db"], dry_snr_db=lambda snr_db: snr_db,
    ),
    FindingCase(
        "noise in both recordings (dB)", ("noise",), (30.0, 20.0, 10.0), add_noise, dry_snr_db=lambda snr_db: snr_db
    ),
    FindingCase(
        "low shelf at 200 Hz (dB)", ("equalization",), (0.5, 2.0, 6.0), shelf,
        lambda f: max(f.values["deviation_db"], key=abs),
    ),
    FindingCase(
        "low pass (share of band)", ("bandwidth",), (0.7, 0.5, 0.35), low_pass, lambda f: f.values["frequency_hz"]
    ),
    FindingCase("compressor (ratio)", ("dynamics",), (1.5, 2.0, 4.0), compress, lambda f: f.values["ratio"]),
    FindingCase(
        "tanh (dB)", ("distortion",), (0.0, 6.0, 12.0), saturate,
        allowed=("dynamics", "equalization", "dc-offset"),
    ),
    FindingCase("fade (dB)", ("moving-gain",), (0.5, 3.0, 12.0), fade, lambda f: f.values["range_db"]),
    FindingCase(
        "fade, the dry recording with noise at −20 dB (dB)", ("moving-gain", "noise"), (3.0, 6.0, 12.0), fade,
        lambda f: f.values["range_db"], dry_snr_db=lambda _: 20.0,
    ),
    FindingCase(
        "constant offset", ("dc-offset",), (0.002, 0.01, 0.1), lambda samples, rate, offset: samples + 2.0 * offset,
        lambda f: f.values["target_offsets"][0],
    ),
    FindingCase("stretch (%)", ("different-recording",), (1.0, 3.0, 6.0), stretch),
    FindingCase(
        "another recording", ("different-recording",), (0.0, 0.0, 0.0), lambda samples, rate, _: samples[:, ::-1]
    ),
)  # fmt: skip
"""Rows of the table."""


def rows(signals: Iterable[BenchSignal]) -> Iterator[Row]:
    """Measure every case on every signal."""
    for signal in signals:
        for case in CASES:
            yield row(signal, case)


def row_count(signals: Sequence[BenchSignal]) -> int:
    """Return the number of rows of the table."""
    return len(signals) * len(CASES)


def row(signal: BenchSignal, case: FindingCase) -> Row:
    """Measure one case on one signal: the weakest strength that is found, the measured values, false findings."""
    found, values, false = [], [], set()
    for strength in case.strengths:
        findings = find(signal, case, strength).findings
        kinds = {finding.kind for finding in findings}
        found.append(set(case.kinds) <= kinds)
        false |= kinds - set(case.kinds) - set(case.allowed)
        values += [
            case.value(finding) for finding in findings if case.value is not None and finding.kind in case.kinds[:1]
        ]
    limits = [strength for strength, is_found in zip(case.strengths, found, strict=True) if is_found]
    return {
        "signal": signal.name,
        "case": case.name,
        "expected": " ".join(case.kinds) or "nothing",
        "strengths": " ".join(f"{strength:g}" for strength in case.strengths),
        "found_from": f"{limits[0]:g}" if case.kinds and limits else "",
        "measured": " ".join(f"{value:.3g}" for value in values),
        "all_found": all(found),
        "false_findings": " ".join(sorted(false)),
    }


def find(signal: BenchSignal, case: FindingCase, strength: float) -> Explanation:
    """Explain the pair of a case at its known gain."""
    rate, dry = signal.sample_rate, signal.samples[None].astype(np.float64)
    gain = 10.0 ** (GAIN_DB / 20.0)
    target = gain * case.make(dry, rate, strength)
    dry = add_noise(dry, rate, case.dry_snr_db(strength), seed=1)
    channels, has_silence = [ChannelMatch(GAIN_DB, 1, 0.0)], np.zeros(1, bool)
    facts = PairFacts(rate, dry.shape[1], 0.0, GAIN_DB, GAIN_DB, channels, True, 0, 0, 0, has_silence, has_silence)
    starts = range(0, dry.shape[1], CHUNK_FRAMES)
    chunks = ((gain * dry[:, i : i + CHUNK_FRAMES], target[:, i : i + CHUNK_FRAMES]) for i in starts)
    return explain(facts, chunks)
