"""The estimator: aligned windows in, estimates out. No threads, no clock, no shared memory.

Each batch of windows goes through the same five steps: transform, weigh the evidence, descend the loss,
track the reading over time, say what state that is. Windows come in order; a batch of one live and of many
on the fast clock give the same estimates, to what a descent's tolerance leaves (0.004 dB; 0.015 at a step of 20 dB).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.dsp.closed_form import cramer_rao_std_db
from rtgain.dsp.delay_estimation import CrossSpectrum
from rtgain.dsp.loss_registry import get_loss
from rtgain.dsp.losses import FeatureLoss, SpectralLoss
from rtgain.dsp.noise_estimation import POLARITY_COSINE, NoiseEstimate, estimate_noise, subtract_rician_bias
from rtgain.dsp.processors import DB_PER_NEPER, LogGain
from rtgain.dsp.spectra import SpectraPair, delayed, hann_spectra, rms_of_power, temporal_moments
from rtgain.estimation.delay_tracker import ALIGNED, Alignment
from rtgain.estimation.descent import Descent, descend, descend_stock
from rtgain.estimation.gain_tracker import FLOOR_STD_DB, SHIFTED_FLOOR_STD_DB, GainMeasurement, GainTracker
from rtgain.records.estimate import Estimate, State

SILENCE_RMS = 1e-8
"""A window below this RMS (−160 dBFS) on either side says nothing about the gain."""

TRACKING_STD_DB = 0.25
"""An estimate less sure than this is still converging."""

INCOHERENT_AFTER_S = 0.5
"""So long may windows tell nothing before the pair is called incoherent."""

USELESS_LOSS = 0.9
"""A best gain that leaves this much of the target (waveform loss, phase turned by 90°) is none."""

POLARITY_MEMORY = 0.9
"""Each window turns the running cosine by a tenth."""

TINY = torch.finfo(torch.float32).tiny

MIN_OPTIMUM_GAIN = 1e-6
"""A closed-form optimum of zero or below is shown as this (−120 dB) times the ratio of the levels."""

FULL_SCALE = 0.9999
"""A sample of this or more is at full scale."""

CLIPPED_SAMPLES = 3
"""So many at full scale are no chance peak."""

FORGETTING_DB_S = 30.0
"""How fast a loud past is forgotten: faster than rooms ring off, slower than filters do (20 Hz: 100 dB/s)."""

PAUSE_POWER_RATIO = 1e3
"""A window that tells nothing, and has this much less power than its recent past, is a pause: silent."""


@dataclass(frozen=True)
class Windows:
    """A batch of B aligned windows: `dry` and `target` ``(B, W)`` float32, the rest ``(B,)``.

    `center_frames` are the centres in the dry signal, `available_frames` when the windows were complete, and
    `gain_true_db` the reference gain over each, NaN where unknown.
    """

    dry: NDArray[np.float32]
    target: NDArray[np.float32]
    center_frames: NDArray[np.float64]
    available_frames: NDArray[np.float64]
    gain_true_db: NDArray[np.float64]


@dataclass(frozen=True)
class LossCurveInput:
    """One window as a loss sees it. Shapes: features ``(1, K)``, `weights` the same or None, samples ``(1, W)``.

    `level` is the gain that a gain of one on the features stands for (negative where the target's features were
    turned over), `optimum` the closed form and `likely` the ratio of the signals' levels, both as a gain.
    """

    loss_name: str
    loss: FeatureLoss
    dry: Tensor
    target: Tensor
    weights: Tensor | None
    level: float
    dry_samples: Tensor
    target_samples: Tensor
    optimum: float
    likely: float
    center_frame: float


class Estimator:
    """Re-estimates a gain from window to window. `settings` may be replaced while it runs."""

    def __init__(self, settings: EstimatorSettings) -> None:
        self.settings = settings
        self.frozen = False
        self.tracker = GainTracker()
        self._cosine = 0.0
        self._uninformative_s = 0.0
        self._recent_db = -math.inf
        self._state = State.WAITING
        self._newest: tuple[str, WindowFeatures, Tensor, Tensor, float] | None = None

    def warm_up(self) -> None:
        """Make torch load what it loads on first use (a second), before anything waits for an estimate."""
        noise = np.random.default_rng(0).standard_normal((1, self.settings.window_frames)).astype(np.float32)
        zero = np.zeros(1)
        Estimator(self.settings).estimate(Windows(noise, noise, zero, zero, zero))

    def reset(self, gain_db: float = 0.0) -> None:
        """Forget everything, and start the next descent from `gain_db`."""
        self.tracker = GainTracker(gain_db=gain_db)
        self._cosine = 0.0
        self._uninformative_s = 0.0
        self._state = State.WAITING

    def resume(self, last: Estimate) -> None:
        """Go on from an estimate that an earlier estimator made."""
        if math.isfinite(last.gain_est_db):
            self.tracker = GainTracker(gain_db=last.gain_est_db, std_db=last.std_db)
        self._cosine = float(last.polarity)
        self._state = last.state

    def estimate(
        self, windows: Windows, alignment: Alignment = ALIGNED, cross: CrossSpectrum | None = None
    ) -> list[Estimate]:
        """One estimate a window, in order; `cross` collects the spectra for the next reading of the delay.

        The descents of a batch start together. Where one of them did not come to rest, they are done again one
        after the other, each from where the one before ended: a batch changes a result by its tolerance at most.
        """
        pairs, gates = self._prepare(windows, alignment, cross)
        descent = self._descend(pairs)
        told_nothing = pairs.evidence.std_log.isinf()
        together = len(gates) == 1 or (not self.settings.plain and bool((descent.settled | told_nothing).all()))
        optima_db, least_squares_db = (
            torch.where(told_nothing, math.nan, DB_PER_NEPER * (log_gain + pairs.level_log).double()).tolist()
            for log_gain in (pairs.optimum_log, pairs.least_squares_log)
        )
        bound_db = torch.where(told_nothing, math.nan, pairs.bound_db).tolist()
        std_db = (DB_PER_NEPER * pairs.evidence.std_log.double()).tolist()
        phase_cosine, level_log = pairs.evidence.phase_cosine.tolist(), pairs.level_log.tolist()
        lag_hops, spread_hops = pairs.lag_hops.tolist(), pairs.spread_hops.tolist()
        floor_std_db = SHIFTED_FLOOR_STD_DB if alignment.shifts else FLOOR_STD_DB
        estimates = []
        for index, gate in enumerate(gates):
            rest = descent.at(index) if together else self._descend(pairs.at(index))
            if not self.frozen:
                gain_db = DB_PER_NEPER * (float(rest.log_gain) + level_log[index])
                reading = GainMeasurement(gain_db, std_db[index], lag_hops[index], spread_hops[index], floor_std_db)
                self._follow(reading, phase_cosine[index], alignment)
                self._state = gate or self._classify_state(rest, alignment, pairs, index)
            estimates.append(
                Estimate(
                    center_frame=float(windows.center_frames[index]),
                    available_frame=float(windows.available_frames[index]),
                    gain_true_db=float(windows.gain_true_db[index]),
                    gain_est_db=self.tracker.gain_db if math.isfinite(self.tracker.std_db) else math.nan,
                    gain_opt_db=optima_db[index],
                    opt_std_db=std_db[index],
                    least_squares_db=least_squares_db[index],
                    bound_db=bound_db[index],
                    std_db=self.tracker.std_db,
                    loss=math.nan if gate else float(rest.loss),
                    state=self._state,
                    steps=int(rest.steps),
                    delay_frames=alignment.delay_frames if alignment.known else math.nan,
                    polarity=self.polarity,
                )
            )
        return estimates

    @property
    def polarity(self) -> int:
        """1 or −1, or 0 where the phase between dry and target tells neither."""
        return 0 if abs(self._cosine) < POLARITY_COSINE else int(math.copysign(1, self._cosine))

    @property
    def gain(self) -> float:
        """The present estimate, linear and signed; NaN while unknown."""
        if not math.isfinite(self.tracker.std_db):
            return math.nan
        return math.copysign(10.0 ** (self.tracker.gain_db / 20.0), self.polarity)

    @property
    def ground(self) -> LossCurveInput | None:
        """The newest window that is neither silent nor clipped, to draw loss against gain on; None before any."""
        if self._newest is None:
            return None
        loss_name, pairs, dry, target, center_frame = self._newest
        pair = pairs.at(-1)
        level = math.exp(float(pair.level_log))
        turned = pair.loss.sees_phase and bool(pair.evidence.inverted)
        return LossCurveInput(
            loss_name,
            pair.loss,
            pair.dry,
            pair.target,
            pair.weights,
            level=-level if turned else level,
            dry_samples=dry,
            target_samples=target,
            optimum=level * math.exp(float(pair.optimum_log)),
            likely=level,
            center_frame=center_frame,
        )

    def _prepare(
        self, windows: Windows, alignment: Alignment, cross: CrossSpectrum | None
    ) -> tuple["WindowFeatures", list[State | None]]:
        """Level, align, transform and weigh the windows; and the states of those that are not to be judged."""
        dry, target = torch.from_numpy(windows.dry), torch.from_numpy(windows.target)
        dry = delayed(dry, alignment.fraction_frames)
        spectra = hann_spectra(torch.stack([dry, target]))
        level = spectra.rms
        silent = (level < SILENCE_RMS).any(0)
        level = level.clamp_min(SILENCE_RMS)
        spectra = spectra.scaled(1.0 / level)
        pair, (dry_level, target_level) = SpectraPair(spectra[0], spectra[1]), level
        decay_ratio = self._decay_ratio(dry_level)
        evidence = estimate_noise(pair, decay_ratio)
        clipped = _clipped(dry) | _clipped(target) if self.settings.reject_clipped else torch.zeros_like(silent)
        evidence = replace(evidence, std_log=torch.where(silent | clipped, torch.inf, evidence.std_log))
        silent |= evidence.std_log.isinf() & ~clipped & (decay_ratio > PAUSE_POWER_RATIO)
        if cross is not None:  # loud windows count more, whatever the gain does meanwhile
            cross.add(pair, torch.where(silent, 0.0, dry_level))
        loss = get_loss(self.settings.loss)
        leveled = dry / dry_level.unsqueeze(-1)
        if isinstance(loss, SpectralLoss):
            unnoised = subtract_rician_bias(pair.target.magnitude, evidence.noise)
            features = loss.of_magnitude(pair.dry.magnitude), loss.of_magnitude(unnoised)
            weights: Tensor | None = evidence.weights
        else:
            target = torch.where(evidence.inverted.unsqueeze(-1), -target, target)
            features = loss.features(leveled), loss.features(target / target_level.unsqueeze(-1))
            weights = loss.weights(evidence.weights / pair.dry.magnitude.clamp_min(TINY), features[0])
        lag, spread = temporal_moments(leveled, pair.dry, evidence.weights)
        hop_frames = self.settings.hop_frames
        level_log = (target_level / dry_level).log()
        optimum_log = loss.optimum(*features, weights).clamp_min(MIN_OPTIMUM_GAIN).log()
        least_squares_log = loss.least_squares(*features).clamp_min(MIN_OPTIMUM_GAIN).log()
        bound_db = cramer_rao_std_db(rms_of_power(evidence.noise), optimum_log.exp(), math.sqrt(windows.dry.shape[-1]))
        pairs = WindowFeatures(
            loss, *features, weights, evidence, optimum_log, least_squares_log, bound_db, level_log,
            lag / hop_frames, spread / hop_frames,
        )  # fmt: skip
        both = zip(silent.tolist(), clipped.tolist(), strict=True)
        gates = [State.SILENT if quiet else State.CLIPPED if loud else None for quiet, loud in both]
        if gates[-1] is None:
            samples = dry[-1:], torch.from_numpy(windows.target[-1:])
            self._newest = self.settings.loss, pairs, *samples, float(windows.center_frames[-1])
        return pairs, gates

    def _decay_ratio(self, dry_level: Tensor) -> Tensor:
        """The power of each window's recent past over its own: the loudest, less `FORGETTING_DB_S` since then."""
        forgotten_db = FORGETTING_DB_S * self.settings.hop_frames / self.settings.sample_rate
        decay_ratio = []
        for level in dry_level.tolist():
            level_db = 20.0 * math.log10(level)
            self._recent_db = max(level_db, self._recent_db - forgotten_db)
            decay_ratio.append(10.0 ** ((self._recent_db - level_db) / 10.0))
        return torch.tensor(decay_ratio)

    def _descend(self, pairs: "WindowFeatures") -> Descent:
        start_log = self.tracker.gain_db / DB_PER_NEPER - pairs.level_log
        seen = pairs.loss, pairs.dry, pairs.target, pairs.weights
        optimizer, rate = self.settings.optimizer, self.settings.rate
        if self.settings.plain:
            return descend_stock(*seen, start_log, pairs.optimum_log, optimizer=optimizer, rate=rate)
        return descend(*seen, pairs.evidence, start_log, pairs.optimum_log, optimizer=optimizer, rate=rate)

    def _follow(self, reading: GainMeasurement, phase_cosine: float, alignment: Alignment) -> None:
        told = math.isfinite(reading.std_db)
        if not self.settings.plain:
            self.tracker.update(reading)
        elif told:
            self.tracker = GainTracker(reading.gain_db, reading.std_db)
        if not told:
            self._uninformative_s += self.settings.hop_frames / self.settings.sample_rate
            return
        self._uninformative_s = 0.0
        if alignment.known:
            turn = 1.0 - POLARITY_MEMORY if self._cosine else 1.0
            self._cosine += turn * (phase_cosine - self._cosine)

    def _classify_state(self, rest: Descent, alignment: Alignment, pairs: "WindowFeatures", index: int) -> State:
        vain = float(rest.loss) > USELESS_LOSS and float(pairs.at(index).least_loss) > USELESS_LOSS
        if self._uninformative_s >= INCOHERENT_AFTER_S or alignment.not_found or vain:
            return State.INCOHERENT
        in_doubt = self.tracker.outliers > 0 or self.tracker.std_db > TRACKING_STD_DB
        if in_doubt or not rest.settled or not alignment.known:
            return State.CONVERGING
        return State.TRACKING


@dataclass(frozen=True)
class WindowFeatures:
    """Features of B pairs of windows, each brought to one level; `level_log` ``(B,)`` is what was divided out.

    `bound_db` ``(B,)`` is the Cramér–Rao bound for white noise as strong as what the dry signal does not explain.
    `lag_hops` and `spread_hops` ``(B,)`` say when in the window its sound is, from the centre.
    """

    loss: FeatureLoss
    dry: Tensor
    target: Tensor
    weights: Tensor | None
    evidence: NoiseEstimate
    optimum_log: Tensor
    least_squares_log: Tensor
    bound_db: Tensor
    level_log: Tensor
    lag_hops: Tensor
    spread_hops: Tensor

    @property
    def least_loss(self) -> Tensor:
        """The loss at the closed form's gain, ``(B,)``: what no gain takes away."""
        best = self.loss.apply_gain(self.dry, LogGain(log_gain=self.optimum_log)).detach()
        return self.loss.distance(best, self.target, self.weights)

    def at(self, index: int) -> "WindowFeatures":
        """One pair, as a batch of its own."""
        one = slice(index, None if index == -1 else index + 1)
        return WindowFeatures(
            self.loss,
            self.dry[one],
            self.target[one],
            None if self.weights is None else self.weights[one],
            self.evidence.at(index),
            self.optimum_log[one],
            self.least_squares_log[one],
            self.bound_db[one],
            self.level_log[one],
            self.lag_hops[one],
            self.spread_hops[one],
        )


def _clipped(windows: Tensor) -> Tensor:
    return (windows.abs() >= FULL_SCALE).sum(-1) >= CLIPPED_SAMPLES
