"""Measured response: averaged spectra of dry and target in bands of constant relative width."""

import math
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtgain.dsp.spectra import EDGE_BINS, SpectraPair
from rtgain.records.equalizer import EqualizerFilters
from rtgain.records.response import Response

REFERENCE_HZ = 1000.0
"""A band has its center here (IEC 61260-1, base-2)."""

LOWEST_HZ = 20.0
"""Center of the lowest band, unless the spectra are too coarse for it."""

MIN_BAND_BINS = 2
"""Least number of bins per band: one bin of a Hann spectrum contains its neighbors."""

NO_FILTERS = EqualizerFilters()


class ResponseAverage:
    """Averages of power and cross-spectra of aligned windows, ``(C, K)``, from which a response is read.

    Source: H1 estimate, Bendat and Piersol, *Random Data*, section 6.1: cross-spectrum over dry power.
    """

    def __init__(self, memory_windows: float = math.inf) -> None:
        """Average all windows equally, or with weights that decay by e every `memory_windows`."""
        self.memory_windows = memory_windows
        self._dry = torch.zeros(1, 1, dtype=torch.float64)
        self._target = torch.zeros(1, 1, dtype=torch.float64)
        self._cross = torch.zeros(1, 1, dtype=torch.complex128)
        self._cut_off = torch.zeros(1, 1, dtype=torch.complex128)  # of the power, by the ends of windows behind filters

    def add(self, pair: SpectraPair, unfiltered: Tensor | None = None) -> None:
        """Add spectra of windows in order, ``(B, C, K)``. Leave out windows without sound.

        `unfiltered` is the cross-spectrum of the dry signal with itself behind filters, divided by their response. It
        differs from the power because a window cuts off the sound that leaves the filters after it.
        """
        windows = pair.dry.bins.shape[0]
        if pair.dry.bins.shape[1:] != self._dry.shape:  # another window length or number of channels
            self._dry = self._target = torch.zeros(1, 1, dtype=torch.float64)
            self._cross = self._cut_off = torch.zeros(1, 1, dtype=torch.complex128)
        ages = torch.arange(windows - 1, -1, -1, dtype=torch.float64)
        weights = torch.exp(-ages / self.memory_windows).view(-1, 1, 1)
        decay = math.exp(-windows / self.memory_windows)
        self._dry = decay * self._dry + (weights * pair.dry.power).sum(0)
        self._target = decay * self._target + (weights * pair.target.power).sum(0)
        self._cross = decay * self._cross + (weights * pair.cross).sum(0)
        self._cut_off = decay * self._cut_off
        if unfiltered is not None:
            self._cut_off = self._cut_off + (weights * (pair.dry.power - unfiltered)).sum(0)

    @property
    def has_windows(self) -> bool:
        """True after the first window."""
        return self._dry.shape[-1] > 1

    @property
    def channels(self) -> int:
        """Number of channels; 1 before the first window."""
        return self._dry.shape[0]

    def band_response(
        self, sample_rate: int, bands_per_octave: int, filters: EqualizerFilters = NO_FILTERS
    ) -> "BandResponse":
        """Read the complex response over all channels together; each channel's polarity is removed.

        The remaining delay must be shorter than a frame. The response is measured relative to that of `filters`, which
        should be close to it: windows and bands smooth a response, but not its ratio to the same response.
        """
        bins = adjacent_bands(self._dry.shape[-1], bands_per_octave)
        polarities = torch.where(self._cross.sum(-1, keepdim=True).real < 0.0, -1.0, 1.0).double()
        cross = (polarities * self._cross).sum(0, keepdim=True)
        bin_hz = sample_rate / 2.0 / (self._dry.shape[-1] - 1)
        dry_at_hz = self._dry.sum(0, keepdim=True)
        bins_hz = bin_hz * torch.arange(self._dry.shape[-1], dtype=torch.float64)
        moment = dry_at_hz * bins_hz
        target_power = self._target.sum(0, keepdim=True)
        unfiltered = (self._dry - self._cut_off).sum(0, keepdim=True)
        filtered = unfiltered * _response_at_bins(filters, self._dry.shape[-1], sample_rate)
        dry, target, crosses, moments, expected = (
            _band_sums(spectra, bins)[0] for spectra in (dry_at_hz, target_power, cross, moment, filtered)
        )
        audible = (dry.real > 0.0) & (target.real > 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            coherence = np.where(audible, np.minimum(np.abs(crosses) ** 2 / (dry.real * target.real), 1.0), 0.0)
            frequency_hz = np.where(audible, moments.real / dry.real, bin_hz * (bins.sum(1) - 1) / 2.0)
            response = np.where(audible, crosses / expected * filters.response(frequency_hz, sample_rate), 0.0)
        return BandResponse(frequency_hz, response, coherence, bins[:, 1] - bins[:, 0], target.real)

    def channel_ratios(self, response: NDArray[np.complex128], bands_per_octave: int) -> NDArray[np.float64]:
        """Compute each channel's gain relative to `response`, ``(N,)`` as that of `band_response`, by least squares.

        Shape: ``(C,)``, without the sign. NaN for a channel without sound.
        """
        bins = adjacent_bands(self._dry.shape[-1], bands_per_octave)
        cross, dry = (_band_sums(spectra, bins) for spectra in (self._cross, self._dry))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios: NDArray[np.float64] = np.abs((cross @ response.conj()).real) / (dry.real @ np.abs(response) ** 2)
        return ratios

    def copy_from(self, other: "ResponseAverage") -> None:
        """Take over the averages of `other`; the memory keeps its length."""
        self._dry, self._target, self._cross = other._dry, other._target, other._cross
        self._cut_off = other._cut_off

    def rotate(self, frames: float) -> None:
        """Delay the averaged target by `frames`: the windows that follow are cut at another offset."""
        if self._cross.shape[-1] > 1:
            omega = torch.linspace(0.0, math.pi, self._cross.shape[-1], dtype=torch.float64)
            self._cross = self._cross * torch.polar(torch.ones_like(omega), -frames * omega)

    def scale(self, factor: float) -> None:
        """Scale the averaged target: the windows that follow have another gain."""
        self._cross, self._target = factor * self._cross, factor**2 * self._target

    def response(self, sample_rate: int, bands_per_octave: int) -> Response:
        """Read the response over all channels together, in bands of an octave divided by `bands_per_octave`."""
        edges = band_edges(self._dry.shape[-1], sample_rate, bands_per_octave)
        dry, target, cross = (_band_sums(spectra, edges.bins) for spectra in (self._dry, self._target, self._cross))
        # Magnitudes of each channel's own cross-spectrum: those of an inverted channel would cancel in a sum.
        dry_power, target_power, cross_power = dry.real.sum(0), target.real.sum(0), np.abs(cross).sum(0) ** 2
        audible = (dry_power > 0.0) & (target_power > 0.0) & (cross_power > 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            gain_db = np.where(audible, 10.0 * np.log10(cross_power / dry_power**2), np.nan)
            coherence = np.where(audible, np.minimum(cross_power / (dry_power * target_power), 1.0), 0.0)
        return Response(edges.centers_hz, gain_db, coherence)


@dataclass(frozen=True)
class BandResponse:
    """Complex response of N bands, lowest first.

    Attributes:
        frequency_hz: ``(N,)``, mean frequency of the dry signal's power in each band.
        response: ``(N,)``, complex; 0 for a band without sound.
        coherence: ``(N,)``, share of the target's power that the dry signal explains; 0 for a band without sound.
        bins: ``(N,)``, number of bins.
        target_power: ``(N,)``, in any unit.
    """

    frequency_hz: NDArray[np.float64]
    response: NDArray[np.complex128]
    coherence: NDArray[np.float64]
    bins: NDArray[np.int64]
    target_power: NDArray[np.float64]

    @cached_property
    def explained_fraction(self) -> float:
        """Share of the target's power that the dry signal explains through a filter; 0 without any."""
        total = float(self.target_power.sum())
        return float(self.coherence @ self.target_power) / total if total > 0.0 else 0.0


@dataclass(frozen=True)
class BandEdges:
    """Bands of constant relative width: centers in Hz, ``(N,)``, and the bins between which they lie, ``(N, 2)``."""

    centers_hz: NDArray[np.float64]
    bins: NDArray[np.int64]


def band_edges(bins: int, sample_rate: int, bands_per_octave: int) -> BandEdges:
    """Lay bands over Hann spectra of `bins` bins, from 20 Hz to half the sample rate.

    Bands with fewer than `MIN_BAND_BINS` bins are left out.
    """
    bin_hz = sample_rate / 2.0 / (bins - 1)
    lowest = math.ceil(bands_per_octave * math.log2(LOWEST_HZ / REFERENCE_HZ) - 0.5)
    highest = math.floor(bands_per_octave * math.log2(sample_rate / 2.0 / REFERENCE_HZ) + 0.5)
    centers_hz = REFERENCE_HZ * 2.0 ** (np.arange(lowest, highest + 1) / bands_per_octave)
    half_band = 2.0 ** (0.5 / bands_per_octave)
    first = np.maximum(np.ceil(centers_hz / half_band / bin_hz), EDGE_BINS).astype(np.int64)
    end = np.minimum(np.ceil(centers_hz * half_band / bin_hz), bins - EDGE_BINS).astype(np.int64)
    wide = end - first >= MIN_BAND_BINS
    return BandEdges(centers_hz[wide], np.stack([first, end], axis=1)[wide])


@cache
def adjacent_bands(bins: int, bands_per_octave: int) -> NDArray[np.int64]:
    """Divide Hann spectra of `bins` bins into bands without gaps, ``(N, 2)``: first bin, and bin after the last one.

    Each has the relative width, but at least `MIN_BAND_BINS` bins.
    """
    edges = [EDGE_BINS]
    while edges[-1] < bins - EDGE_BINS:
        edges.append(max(edges[-1] + MIN_BAND_BINS, round(edges[-1] * 2.0 ** (1.0 / bands_per_octave))))
    if len(edges) > 1 and edges[-1] > bins - EDGE_BINS:
        edges.pop()
    return np.stack([edges[:-1], edges[1:]], axis=1).astype(np.int64)


@lru_cache(maxsize=1)
def _response_at_bins(filters: EqualizerFilters, bins: int, sample_rate: int) -> Tensor:
    """Compute the response at the bins of Hann spectra, ``(K,)``; two averages are compared behind the same filters."""
    frequency_hz = sample_rate / 2.0 / (bins - 1) * torch.arange(bins, dtype=torch.float64)
    return torch.from_numpy(filters.response(frequency_hz.numpy(), sample_rate))


def _band_sums(spectrum: Tensor, bins: NDArray[np.int64]) -> NDArray[np.complex128]:
    """Sum spectra of C channels, ``(C, K)``, over each band, ``(C, N)``."""
    channels, size = spectrum.shape
    sums: NDArray[Any] = np.zeros((channels, size + 1), np.complex128 if spectrum.is_complex() else np.float64)
    np.cumsum(spectrum.numpy(), axis=-1, out=sums[:, 1:])
    banded: NDArray[np.complex128] = sums[:, bins[:, 1]] - sums[:, bins[:, 0]]
    return banded
