"""Fit of a parametric equalizer to a measured response, by damped Gauss-Newton steps.

The residual of a band is the complex logarithm of measured over fitted response, in dB: its real part is the level
difference, its imaginary part the phase difference. The filters of the cookbook are minimum-phase, so both parts depend
on the same parameters. A delay is fitted, too.

Source of the method: Levenberg-Marquardt with Huber weights, Nocedal and Wright, *Numerical Optimization*, chapter 10.
"""

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import chain
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rtgain.config.names import FilterKind
from rtgain.dsp.filters import ParametricEQ
from rtgain.dsp.processors import DB_PER_NEPER
from rtgain.dsp.response import BandResponse
from rtgain.records.biquad import LOG_ROOT, cookbook_biquad
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters
from rtgain.records.equalizer_loss import HIGHEST_FREQUENCY_SHARE, weighted_error_db

Numbers = NDArray[np.float64]

FILTERS = len(ParametricEQ.KINDS)
GAIN, DELAY, GAINS = 0, 1, slice(2, 2 + FILTERS)
OCTAVES, LOG_QS = slice(2 + FILTERS, 2 + 2 * FILTERS), slice(2 + 2 * FILTERS, 2 + 3 * FILTERS)
PARAMETERS = 2 + 3 * FILTERS
"""Layout of a parameter vector: gain in dB, delay in frames, then gains, frequencies and ln Q of the filters."""

COMPLEX_STEP = 1e-30
"""Imaginary part of a parameter by which a derivative is computed; it is so small that its square vanishes."""

PEAKS = slice(ParametricEQ.KINDS.index("peak"), FILTERS - ParametricEQ.KINDS[::-1].index("peak"))

FLOOR_STD_DB = 0.03
"""Standard deviation in dB of a band's measurement without noise: a band is wider than a line."""

PRIOR_PER_DB, PRIOR_FLAT_DB = 0.5, 0.1
"""Cost per dB of a filter's gain, and gain below which the cost is a square instead.

A sum of magnitudes prefers few filters: unused ones stay at 0 dB, and no two cancel.
"""

MIN_COHERENCE = 0.5
"""Coherence below which a band is left out."""

HUBER = 1.5
"""Residual in robust standard deviations from which it counts by its magnitude instead of its square."""

MIN_PEAK_DISTANCE_OCTAVES = 0.25
"""Least distance of two peaks: closer ones could cancel."""

UNKNOWN_STD_DB = 3.0
"""Standard deviation in dB of a filter's gain, if all else were known, above which it is not learned.

There is then no sound in its range.
"""

MIN_SHARE = 0.25
"""Share of a filter's gain that a band must have to be in its range."""

LOCAL_BANDS = 4
"""Number of adjacent bands over which differences of two measured responses are averaged: a third of an octave."""

SHELF_BANDS = 8
"""Number of the lowest or highest bands whose mean level is the first gain of a shelf."""

MAX_STEP = 0.5
"""Largest change of a frequency in octaves, and of ln Q, per step."""

FIRST_DAMPING, LEAST_DAMPING, MAX_DAMPING, DAMPING_FACTOR = 1e-2, 1e-7, 1e6, 5.0

CONVERGED = 1e-4
"""Relative decrease of the cost by a step up to which a fit has converged."""


@dataclass(frozen=True)
class EqualizerFit:
    """Parameters of a fit, ``(20,)``, and how certain they are.

    `gain_std_db` is the standard deviation of the gain, and `deviations_db` are those of the filters' gains. These are
    infinite for a filter in whose range there is not enough sound; its gain is 0. `error_db` is the mean level
    difference from the measured response, weighted by certainty. `error_sigmas` is the RMS difference in standard
    deviations of each band. The descent decreases `cost`, that of the residuals and of the prior. `path` are the
    parameters from the start of the descent to its end, ``(points, 20)``.
    """

    parameters: Numbers
    gain_std_db: float = math.inf
    deviations_db: tuple[float, ...] = (math.inf,) * FILTERS
    error_db: float = math.inf
    error_sigmas: float = math.inf
    cost: float = math.inf
    path: Numbers = field(default_factory=lambda: np.empty((0, PARAMETERS)))

    @classmethod
    def from_equalizer(cls, equalizer: EqualizerFilters) -> Self:
        """Make a fit of known filters, with no delay."""
        values = [
            [item.gain_db for item in equalizer.filters],
            [math.log2(item.frequency_hz / 1000.0) for item in equalizer.filters],
            [math.log(item.q) for item in equalizer.filters],
        ]
        return cls(np.array([equalizer.gain_db, 0.0, *chain.from_iterable(values)]))

    @property
    def equalizer(self) -> EqualizerFilters:
        """The fitted equalizer."""
        gains, octaves, qs = (
            values.tolist()
            for values in (self.parameters[GAINS], self.parameters[OCTAVES], np.exp(self.parameters[LOG_QS]))
        )
        filters = (
            EqualizerFilter(kind, 1000.0 * 2.0**octave, gain_db, q)
            for kind, octave, gain_db, q in zip(ParametricEQ.KINDS, octaves, gains, qs, strict=True)
        )
        return EqualizerFilters(float(self.parameters[GAIN]), tuple(filters))

    @property
    def delay_frames(self) -> float:
        """Delay of the target behind the fitted filters, in frames."""
        return float(self.parameters[DELAY])

    def delayed_by(self, frames: float) -> "EqualizerFit":
        """Return the same fit with a delay that is longer by `frames`."""
        parameters = self.parameters.copy()
        parameters[DELAY] += frames
        return replace(self, parameters=parameters)

    def amplified_by(self, change_db: float) -> "EqualizerFit":
        """Return the same fit with a gain that is higher by `change_db`."""
        parameters = self.parameters.copy()
        parameters[GAIN] += change_db
        return replace(self, parameters=parameters)


def initial_fit(gain_db: float, delay_frames: float) -> EqualizerFit:
    """Return a fit without filters: all at their first frequencies, with 0 dB."""
    parameters = _of_info("default").copy()
    parameters[GAIN], parameters[DELAY] = gain_db, delay_frames
    return EqualizerFit(parameters)


class ResponseFitter:
    """Fitter of one measured response at `sample_rate` Hz, which is the mean of `windows` independent windows."""

    def __init__(self, measured: BandResponse, sample_rate: int, windows: float) -> None:
        used = self._used = measured.coherence >= MIN_COHERENCE
        self.measured = measured
        self.frequency_hz = measured.frequency_hz[used]
        self._sample_rate = sample_rate
        self._omega = 2.0 * math.pi / sample_rate * self.frequency_hz
        self._delays = np.exp(-1j * np.arange(3)[:, None] * self._omega)  # powers of 1/z
        self._response = measured.response[used]
        coherence = measured.coherence[used]
        averages = np.maximum(windows * measured.bins[used], 1.0)
        # Variance of the log response: Bendat and Piersol, Random Data, section 9.1.
        noise_db = DB_PER_NEPER * np.sqrt((1.0 - coherence) / (2.0 * coherence * averages))
        self._std_db = np.hypot(FLOOR_STD_DB, noise_db)
        self._lowest, self._highest = _of_info("minimum").copy(), _of_info("maximum").copy()
        self._highest[OCTAVES] = np.minimum(
            self._highest[OCTAVES], math.log2(HIGHEST_FREQUENCY_SHARE * sample_rate / 1000.0)
        )
        self._lowest[OCTAVES] = np.minimum(self._lowest[OCTAVES], self._highest[OCTAVES])

    @property
    def is_possible(self) -> bool:
        """True if there are any bands with sound."""
        return len(self._omega) > 0

    @property
    def gain_db(self) -> float:
        """Median level of the measured response."""
        return float(np.median(self._levels_db))

    @property
    def _levels_db(self) -> Numbers:
        return DB_PER_NEPER * np.log(np.abs(self._response))

    @property
    def band_std_db(self) -> Numbers:
        """Standard deviation of each measured level, ``(bands,)``; infinite for a band that is left out."""
        std_db = np.full(len(self._used), math.inf)
        std_db[self._used] = self._std_db
        return std_db

    def leveled_fit(self, delay_frames: float) -> EqualizerFit:
        """Return a fit at the first frequencies that has the measured levels there, relative to their median.

        A shelf has the mean level of the `SHELF_BANDS` lowest or highest bands. From filters of 0 dB, twice as many
        descents end in a local minimum.
        """
        fit = initial_fit(self.gain_db, delay_frames)
        levels_db = self._levels_db - self.gain_db
        gains_db = np.interp(fit.parameters[OCTAVES], np.log2(self.frequency_hz / 1000.0), levels_db)
        gains_db[0], gains_db[-1] = levels_db[:SHELF_BANDS].mean(), levels_db[-SHELF_BANDS:].mean()
        fit.parameters[GAINS] = gains_db
        return fit

    def fit(self, start: EqualizerFit, evaluations: int) -> EqualizerFit:
        """Descend from `start`, at most as many evaluations; the result never has a greater cost."""
        point = self._at(self._clamped(start.parameters))
        learnable = self._learnable(point.jacobian)
        if point.parameters[GAINS][~learnable].any():
            point.parameters[GAINS] *= learnable
            point = self._at(point.parameters)
        weights = _robust_weights(point.residuals, self._std_db)
        cost, damping = _cost(point, weights), FIRST_DAMPING
        path = [point.parameters]
        free = np.flatnonzero(np.concatenate([[True, True], learnable, learnable, learnable]))
        for _ in range(evaluations):
            normal, gradient = _normal_equations(point, weights)
            matrix = normal[free[:, None], free]
            matrix += np.diag(damping * np.maximum(matrix.diagonal(), 1e-9))
            step = np.zeros(PARAMETERS)
            step[free] = np.linalg.solve(matrix, gradient[free])
            step[OCTAVES.start :] = np.clip(step[OCTAVES.start :], -MAX_STEP, MAX_STEP)
            candidate = self._at(self._clamped(point.parameters + step))
            next_cost = _cost(candidate, weights)
            if next_cost >= cost:
                damping *= DAMPING_FACTOR
                if damping > MAX_DAMPING:
                    break
                continue
            has_converged = cost - next_cost < CONVERGED * cost
            point = candidate
            path.append(point.parameters)
            if has_converged:
                break
            weights = _robust_weights(point.residuals, self._std_db)
            cost, damping = _cost(point, weights), max(damping / DAMPING_FACTOR, LEAST_DAMPING)
        normal, _ = _normal_equations(point, weights)
        stds_db = np.sqrt(np.maximum(np.linalg.inv(normal + 1e-9 * np.eye(PARAMETERS)).diagonal(), 0.0))
        deviations_db = np.where(learnable, stds_db[GAINS], math.inf)
        levels = point.residuals[: len(self._omega)]
        return EqualizerFit(
            point.parameters,
            float(stds_db[GAIN]),
            tuple(deviations_db.tolist()),
            float(weighted_error_db(levels, self._std_db)),
            float(np.sqrt(np.mean((levels / self._std_db) ** 2))),
            cost,
            np.stack(path),
        )

    def response_of(self, fit: EqualizerFit) -> NDArray[np.complex128]:
        """Response of gain, filters and delay of a fit at all measured bands, ``(N,)``."""
        frequency_hz = self.measured.frequency_hz
        delay = np.exp(-2j * math.pi * fit.delay_frames / self._sample_rate * frequency_hz)
        response: NDArray[np.complex128] = fit.equalizer.response(frequency_hz, self._sample_rate) * delay
        return response

    def level_differences_db(self, fit: EqualizerFit) -> Numbers:
        """Level of the measurement minus that of the fit per band, ``(N,)``, in dB."""
        filters = fit.equalizer.response(self.frequency_hz, self._sample_rate)
        return DB_PER_NEPER * np.log(np.abs(self._response / filters))

    def difference_from(self, other: "ResponseFitter") -> tuple[float, float]:
        """Compute the mean level difference of two measured responses in dB, and in this one's standard deviations.

        Only bands that both have count.
        """
        levels_db, std_db, _ = self._common_differences(other)
        if not len(levels_db):
            return 0.0, 0.0
        sigmas = np.abs(levels_db) / std_db
        return float(sigmas.sum() / (1.0 / std_db).sum()), float(sigmas.mean())

    def local_difference_from(self, other: "ResponseFitter", least_db: float) -> float:
        """Compute the largest level difference over `LOCAL_BANDS` adjacent bands, in standard deviations of both.

        Differences of at most `least_db` do not count. They are averaged, weighted by certainty.
        """
        levels_db, *stds_db = self._common_differences(other)
        if len(levels_db) < LOCAL_BANDS:
            return 0.0
        weights = 1.0 / (stds_db[0] ** 2 + stds_db[1] ** 2)
        window = np.ones(LOCAL_BANDS)
        sums = np.convolve(weights, window, "valid")
        means_db = np.abs(np.convolve(weights * levels_db, window, "valid")) / sums
        return float(np.where(means_db > least_db, means_db * np.sqrt(sums), 0.0).max())

    def _common_differences(self, other: "ResponseFitter") -> tuple[Numbers, Numbers, Numbers]:
        """Return level differences in dB of bands that both have, and the standard deviations of both."""
        common = self._used & other._used
        mine, others = common[self._used], common[other._used]
        levels_db = DB_PER_NEPER * np.log(np.abs(self._response[mine] / other._response[others]))
        return levels_db, self._std_db[mine], other._std_db[others]

    def _at(self, parameters: Numbers) -> "_Point":
        return _Point(parameters, self._response, self._omega, self._delays, self._sample_rate)

    def _learnable(self, jacobian: Numbers) -> NDArray[np.bool_]:
        """True for each filter in whose range there is enough sound to learn its gain, ``(6,)``."""
        levels = np.abs(jacobian[GAINS, : len(self._omega)])
        local = np.where(levels >= MIN_SHARE, levels / self._std_db, 0.0)
        is_learnable: NDArray[np.bool_] = (local**2).sum(1) > 1.0 / UNKNOWN_STD_DB**2
        return is_learnable

    def _clamped(self, parameters: Numbers) -> Numbers:
        """Limit the parameters to their ranges, and keep the peaks in order and apart."""
        clamped = np.clip(parameters, self._lowest, self._highest)
        octaves = clamped[OCTAVES]
        for index in range(2, FILTERS - 1):
            octaves[index] = max(octaves[index], octaves[index - 1] + MIN_PEAK_DISTANCE_OCTAVES)
        return np.minimum(clamped, self._highest)


class _Point:
    """Residuals in dB, ``(2 N,)``, of filters with given parameters: levels, then phases."""

    def __init__(
        self,
        parameters: Numbers,
        response: NDArray[np.complex128],
        omega: Numbers,
        delays: NDArray[np.complex128],
        sample_rate: int,
    ) -> None:
        self.parameters = parameters
        self._omega, self._delays, self._sample_rate = omega, delays, sample_rate
        coefficients = np.array(
            [
                _coefficients(kind, settings, sample_rate, math)
                for kind, settings in zip(ParametricEQ.KINDS, _settings_of(parameters), strict=True)
            ]
        )
        self._numerators, self._denominators = coefficients[:, :3] @ delays, coefficients[:, 3:] @ delays
        fitted = (self._numerators / self._denominators).prod(0) * np.exp(
            parameters[GAIN] / DB_PER_NEPER - 1j * parameters[DELAY] * omega
        )
        ratio = response / fitted
        self.residuals = DB_PER_NEPER * np.concatenate([np.log(np.abs(ratio)), np.angle(ratio)])

    @cached_property
    def jacobian(self) -> Numbers:
        """Derivatives of the residuals, ``(20, 2 N)``.

        The logarithm of a ratio of polynomials has the derivative of each polynomial over the polynomial.
        """
        slopes = _coefficient_slopes(self.parameters, self._sample_rate)
        shape = (3, FILTERS, len(self._omega))
        jacobian = np.empty((PARAMETERS, len(self._omega)), np.complex128)
        jacobian[GAIN] = -1.0 / DB_PER_NEPER
        jacobian[DELAY] = 1j * self._omega
        filters = jacobian[GAINS.start :].reshape(shape)
        filters[:] = (slopes[:, 3:] @ self._delays).reshape(shape) * (1.0 / self._denominators)
        filters -= (slopes[:, :3] @ self._delays).reshape(shape) * (1.0 / self._numerators)
        return DB_PER_NEPER * np.concatenate([jacobian.real, jacobian.imag], axis=1)


def _settings_of(parameters: Numbers) -> list[list[float]]:
    """Return gain, octaves and ln Q of each filter."""
    settings: list[list[float]] = parameters[GAINS.start :].reshape(3, FILTERS).T.tolist()
    return settings


def _coefficients(
    kind: FilterKind, settings: Sequence[complex], sample_rate: int, functions: Any
) -> tuple[Any, Any, Any, Any, Any, Any]:
    """Compute b0, b1, b2, a0, a1, a2 of a filter with these gain, octaves and ln Q.

    `functions` is `math` for real numbers, `cmath` for complex ones.
    """
    gain_db, octaves, log_q = settings
    omega = 2000.0 * math.pi / sample_rate * 2.0**octaves
    return cookbook_biquad(
        kind, functions.exp(LOG_ROOT * gain_db), functions.exp(log_q), functions.cos(omega), functions.sin(omega)
    )


def _coefficient_slopes(parameters: Numbers, sample_rate: int) -> Numbers:
    """Compute the derivatives of each filter's coefficients, ``(18, 6)``: a row per parameter, in their order.

    Source: complex-step derivative, Squire and Trapp, *SIAM Review* 40 (1998). It is as exact as automatic
    differentiation. Python's own numbers are faster than arrays of so few, and both are faster than torch.
    """
    slopes = [
        _coefficients(kind, _with_step(settings, part), sample_rate, cmath)
        for part in range(3)
        for kind, settings in zip(ParametricEQ.KINDS, _settings_of(parameters), strict=True)
    ]
    return np.array(slopes).imag / COMPLEX_STEP


def _with_step(settings: Sequence[float], part: int) -> list[complex]:
    """Add the complex step to one of the settings."""
    return [value + 1j * COMPLEX_STEP if index == part else value for index, value in enumerate(settings)]


def _robust_weights(residuals: Numbers, std_db: Numbers) -> Numbers:
    """Weight levels and phases, ``(2 N,)``; a part that fits badly on the whole counts less, and so do outliers."""
    sigmas = np.abs(residuals).reshape(2, -1) / std_db
    ordered, middle = np.sort(sigmas, axis=1), sigmas.shape[1] // 2
    medians = (ordered[:, -1 - middle] + ordered[:, middle]) / 2.0  # np.median takes several times as long
    scales = np.maximum(1.0, medians / 0.6745)
    weights = np.minimum(HUBER * scales[:, None] / np.maximum(sigmas, 1e-9), 1.0) / std_db**2
    # A phase that the filters cannot have, of a rotation or of other filters, must not bend the levels.
    level_scale, phase_scale = scales.tolist()
    weights[1] *= min(1.0, level_scale / phase_scale) ** 4
    flat: Numbers = weights.ravel() / level_scale**2
    return flat


def _cost(point: _Point, weights: Numbers) -> float:
    prior = _prior(point.parameters) @ point.parameters[GAINS] ** 2
    return float(weights @ point.residuals**2 + prior)


def _prior(parameters: Numbers) -> Numbers:
    """Weights of the squared gains that give a cost per dB, ``(6,)``."""
    prior: Numbers = PRIOR_PER_DB / np.maximum(np.abs(parameters[GAINS]), PRIOR_FLAT_DB)
    return prior


def _normal_equations(point: _Point, weights: Numbers) -> tuple[Numbers, Numbers]:
    weighted = weights * point.jacobian
    normal, gradient = weighted @ point.jacobian.T, -(weighted @ point.residuals)
    prior = _prior(point.parameters)
    normal[range(GAINS.start, GAINS.stop), range(GAINS.start, GAINS.stop)] += prior
    gradient[GAINS] -= prior * point.parameters[GAINS]
    return normal, gradient


@cache
def _of_info(field: str) -> Numbers:
    """Collect a field of `ParametricEQ.info` as a parameter vector; the delay is not limited."""
    unlimited = {"minimum": -math.inf, "maximum": math.inf, "default": 0.0}[field]
    values = [getattr(ParametricEQ.info["gain_db"], field), unlimited]
    for parameter in ("gain_db", "octaves", "q"):
        column = [getattr(ParametricEQ.info[f"{name}_{parameter}"], field) for name in ParametricEQ.NAMES]
        values += [math.log(value) for value in column] if parameter == "q" else column
    return np.array(values)
