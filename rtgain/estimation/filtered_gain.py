"""Gain of single windows behind the learned filters: it follows a gain that moves.

A fit averages up to two seconds of sound, and its gain is that of the past. The filters do not change with the gain.
Between the dry signal behind them and the target, one gain per window remains.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtgain.dsp.closed_form import weighted_median
from rtgain.dsp.noise_estimation import BAND_BINS
from rtgain.dsp.processors import DB_PER_NEPER
from rtgain.dsp.spectra import Spectra, SpectraPair, band_sums, temporal_moments
from rtgain.estimation.gain_tracker import GainMeasurement, GainTracker

Numbers = NDArray[np.floating]

FLOOR_STD_DB = 0.05
"""Standard deviation in dB of a band's gain without noise: the filters are not exact."""

MIN_COHERENCE = 0.5
"""Coherence below which a band is left out."""

MIN_BANDS = 4
"""Number of bands with sound below which a window measures nothing."""

MEDIAN_STD, MEDIAN_DEVIATION_STD = 1.25, 1.48
"""Standard deviation of a median re that of a mean, and of a normal distribution re its median deviation."""

MAX_STD_DB = 0.25
"""Standard deviation in dB of a window's gain above which its bands contradict the filters."""


MAX_DEVIATION_DB = 1.0
MAX_SIGMAS = 6.0
"""Deviation of a band in dB, and in standard deviations, from the gain of the window above which it disagrees."""

MAX_DISAGREEING = 0.15
"""Share of the bands that may disagree: a gain moves all of them, a filter some."""


class FilteredGain:
    """Gain behind the filters of the last fit, from window to window."""

    def __init__(self, hop_frames: int) -> None:
        self._hop_frames = hop_frames
        self._tracker = GainTracker()
        self._newest: tuple[SpectraPair, Tensor] | None = None
        self._gain_db = math.nan  # of the newest window
        self._error_db = self._newest_std_db = 0.0
        self._bands_agree = True

    def replace(self, filtered: Spectra | None, error_db: float) -> None:
        """Continue behind other filters, with this error of the fit and this spectrum of the newest window behind them.

        The tracked gain changes as far as that of the newest window does.
        """
        self._error_db = error_db
        if self._newest is not None and filtered is not None:
            before_db, self._gain_db = self._gain_db, self._measure(*self._newest, filtered)[0].gain_db
            if math.isfinite(self._gain_db - before_db):
                self._tracker.gain_db += self._gain_db - before_db

    def update(self, pair: SpectraPair, windows: Tensor, filtered: Spectra) -> None:
        """Track the gain of the next window.

        `windows` is that of the dry signal, ``(1, C, W)``. Its spectra, and those behind the filters, are
        ``(1, C, K)``.
        """
        self._newest = pair, windows
        measurement, self._bands_agree = self._measure(pair, windows, filtered)
        self._tracker.update(measurement)
        self._gain_db = measurement.gain_db
        if math.isfinite(measurement.std_db):
            self._newest_std_db = measurement.std_db

    def skip(self) -> None:
        """Track the gain through a window without a measurement."""
        self._tracker.update(GainMeasurement(math.nan, math.inf))

    def change_db(self, gain_db: float) -> float:
        """Return the change of the gain since it was `gain_db`; 0 while it is unknown."""
        return self._tracker.gain_db - gain_db if math.isfinite(self._tracker.std_db) else 0.0

    @property
    def std_db(self) -> float:
        """Standard deviation of the gain in dB; 0 before the first window behind filters."""
        return self._tracker.std_db if math.isfinite(self._tracker.std_db) else 0.0

    @property
    def is_consistent(self) -> bool:
        """True unless the newest window contradicts the tracked gain or the filters, without a certain other gain."""
        return self._bands_agree and self._tracker.outliers == 0 and self._newest_std_db <= MAX_STD_DB

    def _measure(self, pair: SpectraPair, windows: Tensor, filtered: Spectra) -> tuple[GainMeasurement, bool]:
        """Measure the gain of a window; False if its bands disagree, which measures none, as silence does."""
        behind = SpectraPair(filtered, pair.target)
        # Magnitudes of each channel's own cross-spectrum: those of an inverted channel would cancel in a sum.
        explained = band_sums(behind.cross, BAND_BINS)[0].abs().sum(0).numpy()
        dry, target_power, unfiltered = (
            band_sums(signal.power, BAND_BINS)[0].sum(0).numpy() for signal in (filtered, pair.target, pair.dry)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            coherence = np.minimum(explained**2 / (dry * target_power), 1.0)
            used = np.flatnonzero(coherence >= MIN_COHERENCE)
            if len(used) < MIN_BANDS:
                return GainMeasurement(math.nan, math.inf), True
            gains_db = DB_PER_NEPER * np.log(explained[used] / dry[used])
        noise = (1.0 - coherence[used]) / (2.0 * coherence[used] * BAND_BINS)
        weights = 1.0 / (FLOOR_STD_DB**2 + DB_PER_NEPER**2 * noise)
        gain_db = _median(gains_db, weights)
        deviations_db = np.abs(gains_db - gain_db)
        if np.mean(deviations_db > MAX_DEVIATION_DB + MAX_SIGMAS / np.sqrt(weights)) > MAX_DISAGREEING:
            return GainMeasurement(math.nan, math.inf), False
        scatter_db = MEDIAN_DEVIATION_STD * _median(deviations_db, weights)
        # The Hann window makes adjacent bins dependent, but hardly adjacent bands.
        std_db = MEDIAN_STD * scatter_db * math.sqrt((weights**2).sum()) / float(weights.sum())
        shares = np.zeros(pair.dry.bins.shape[-1], np.float32)  # of the weight of its band, in each bin
        in_bands = shares[: len(dry) * BAND_BINS].reshape(-1, BAND_BINS)
        in_bands[used] = (weights / unfiltered[used])[:, None]
        lag, spread = temporal_moments(windows, pair.dry, (torch.from_numpy(shares) * pair.dry.magnitude).flatten(1))
        hops = self._hop_frames
        floor_db = max(FLOOR_STD_DB / 4.0, self._error_db)  # an error of the filters does not average out
        return GainMeasurement(gain_db, std_db, float(lag) / hops, float(spread) / hops, floor_db), True


def _median(values: Numbers, weights: Numbers) -> float:
    return float(weighted_median(torch.from_numpy(values)[None], torch.from_numpy(weights)[None]))
