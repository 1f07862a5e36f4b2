"""Learner of an equalizer: the measured response of the aligned windows, and a fit to it ten times per second.

The measured response is the reference for every decision. A fit starts from the previous one, and is kept only if it
describes the measurement better. Where the fit stays bad, trials move one filter after the other. Where it is good,
trials do with fewer filters. If the newest windows contradict the average, the average starts again from them: the
equalizer has been moved. A gain that moves is followed from window to window, and the average is scaled to it.
"""

import itertools
import math
from collections import deque
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.dsp.equalizer_fit import (
    FILTERS,
    GAIN,
    GAINS,
    LOG_QS,
    OCTAVES,
    PEAKS,
    EqualizerFit,
    Numbers,
    ResponseFitter,
    initial_fit,
)
from rtgain.dsp.filters import ParametricEQ
from rtgain.dsp.processors import DB_PER_NEPER
from rtgain.dsp.response import NO_FILTERS, ResponseAverage
from rtgain.dsp.spectra import Spectra, SpectraPair, hann_spectra
from rtgain.estimation.delay_tracker import Alignment
from rtgain.estimation.estimator import MIN_COHERENT_FRACTION, TRACKING_STD_DB
from rtgain.estimation.filtered_gain import FilteredGain
from rtgain.estimation.gain_tracker import OUTLIER_SIGMAS
from rtgain.estimation.window_features import Windows, find_silent_channels
from rtgain.records.equalizer import EqualizerFilters
from rtgain.records.estimate import Estimate, State
from rtgain.records.learned_equalizer import MAX_BANDS, MAX_PATH, LearnedEqualizer
from rtgain.records.response import Response

MEMORY_S = 2.0
"""Time in seconds of sound after which a window's weight in the measured response has decreased by the factor e."""

NEWEST_S = 0.25
"""Duration in seconds of the newest windows, by which a moved equalizer is detected.

All count equally, and none before them does: a loud note would outweigh the softer sound that follows it.
"""

MEMORY_GROWTH = 0.33
"""Growth of the memory per window after a move, in windows; it starts with half of the newest ones.

What is left of the sound before the move is forgotten first. Measured in music with long notes: with a memory of two
seconds at once, the error stays at 0.5 dB for a second.
"""

UPDATE_S = 0.1
"""Interval in seconds between two fits."""

BANDS_PER_OCTAVE = 12

FIRST_EVALUATIONS, EVALUATIONS, TRIAL_EVALUATIONS = 40, 6, 20
"""Evaluations of the response in the first fit, in each later one, and in a trial."""

GOOD_SIGMAS = 1.5
"""RMS level error of a fit, in standard deviations, up to which no trial is made.

A mean would hide a few bands that fit badly among a hundred that fit well.
"""

SMOOTH_BANDS = 5
"""Number of adjacent bands over which level differences are averaged to find the largest."""

TRIAL_GAIN = 0.85
"""Ratio of the errors below which a trial replaces the fit."""

MAX_TRIALS = 40
"""Number of trials in vain after which a trial is made only with every `MAX_TRIALS`-th fit.

Trials with fewer filters are repeated as seldom.
"""

SMALL_DB = 1.0
"""Gain of a filter up to which it may be superfluous."""

MAX_MERGED_OCTAVES = 2.0
"""Greatest distance of two peaks that may be one peak in two parts."""

MOVED_DB, MOVED_SIGMAS = 0.4, 3.0
"""Mean level difference between the newest response and the average above which the equalizer has been moved.

It must be exceeded in dB and in standard deviations.
"""

MOVED_LOCAL_DB, MOVED_LOCAL_SIGMAS = 1.0, 6.0
"""The same for the largest difference in a third of an octave: a low shelf moves few of the bands.

Measured on the demo: 1 s after a low shelf of +6 dB at 100 Hz, the null is at −29 dB; without this rule at −10 dB.
"""

MAX_OFFSET_CHANGE_FRAMES = 4
"""Change of the alignment from which the average starts again: the windows before it had another sound."""

DELAY_STEP_FRAMES = 0.01
"""Change of the delay below which the matched signal keeps its delay: −31 dB at 20 kHz and 48 kHz."""


class EqualizerLearner:
    """Learner of gain and filters between windows of dry and target, in order."""

    def __init__(self, settings: EstimatorSettings) -> None:
        self._settings = settings
        window, hop = settings.window_frames, settings.hop_frames
        self._stride = max(1, window // (2 * hop))  # windows that overlap by half are enough
        memory_windows = MEMORY_S * settings.sample_rate / (hop * self._stride)
        newest_windows = max(2, round(NEWEST_S * settings.sample_rate / (hop * self._stride)))
        self._interval_hops = max(1, round(UPDATE_S * settings.sample_rate / hop))
        self._average = _Memory(memory_windows)
        self._newest: deque[tuple[SpectraPair, Tensor | None]] = deque(maxlen=newest_windows)
        self._fit: EqualizerFit | None = None
        self._trials = self._reductions = 0
        self._offset_frames: int | None = None
        self._delay_frames = 0.0
        self._has_new_windows = False
        self._channel_ratios_db: Numbers | None = None
        self._fitter: ResponseFitter | None = None
        self._learned_filters = _LearnedFilters(settings)
        self._filtered_gain = FilteredGain(hop)
        self._newest_dry: Spectra | None = None
        self.latest: LearnedEqualizer | None = None

    def resume(self, last: LearnedEqualizer) -> None:
        """Continue from what another learner has learned."""
        self._fit = EqualizerFit.from_equalizer(last.equalizer)
        self._learned_filters.replace(last.equalizer)
        self.latest = last

    def process(
        self, windows: Windows, alignment: Alignment, estimates: list[Estimate], *, frozen: bool
    ) -> tuple[list[Estimate], list[LearnedEqualizer]]:
        """Learn from windows and their estimates; return the estimates with the learned gain, and what was learned."""
        settings, channels = self._settings, windows.dry.shape[1]
        hops = np.round((windows.center_frames - settings.window_frames / 2) / settings.hop_frames).astype(int)
        chosen = [index for index, estimate in enumerate(estimates) if estimate.state.is_coherent]
        dry = target = None
        if chosen and alignment.is_known and not frozen:
            self._follow_offset(alignment.offset_frames)
            signals = torch.from_numpy(np.stack([windows.dry[chosen], windows.target[chosen]]))
            spectra = hann_spectra(signals)
            spectra = spectra.scaled((~find_silent_channels(spectra.mean_square)).float())
            dry, target = spectra[0], _without_relative_delays(spectra[1], alignment, channels)
        results, learned = [], []
        for index, (hop, estimate) in enumerate(zip(hops, estimates, strict=True)):
            self._learned_filters.add(windows.dry[index], int(hop) * settings.hop_frames)
            if dry is not None and target is not None and index in chosen:
                position = chosen.index(index)
                pair = SpectraPair(dry[position : position + 1], target[position : position + 1])
                filtered = self._learned_filters.filter_newest(pair.dry)
                if filtered is not None and self._fit is not None:
                    self._filtered_gain.update(pair, torch.from_numpy(windows.dry[index : index + 1]), filtered)
                    self._follow_gain(self._fit)
                self._newest_dry = pair.dry
                if hop % self._stride == 0:
                    unfiltered = self._learned_filters.unfiltered_cross(pair.dry, filtered)
                    self._average.add(pair, unfiltered)
                    self._newest.append((pair, unfiltered))
                    self._has_new_windows = True
            elif not frozen:
                self._filtered_gain.skip()
            if self._has_new_windows and hop % self._interval_hops == 0 and not frozen:
                self._has_new_windows = False
                if self._update(alignment):
                    self.latest = self._record(estimate)
                    learned.append(self.latest)
            results.append(self._with_learned_gain(estimate, alignment))
        return results, learned

    def _follow_offset(self, offset_frames: int) -> None:
        """Adapt the averages to windows that are cut at another offset."""
        change = 0 if self._offset_frames is None else offset_frames - self._offset_frames
        self._offset_frames = offset_frames
        if change:
            self._newest.clear()
            self._has_new_windows = False
        if abs(change) > MAX_OFFSET_CHANGE_FRAMES:
            self._average.clear()
        elif change:
            self._average.response.rotate(-change)
            if self._fit is not None:
                self._fit = self._fit.delayed_by(-change)

    def _follow_gain(self, fit: EqualizerFit) -> None:
        """Scale the averages to the gain of the newest windows, if that has changed since the fit."""
        change_db = self._filtered_gain.change_db(float(fit.parameters[GAIN]))
        if abs(change_db) <= OUTLIER_SIGMAS * self._filtered_gain.std_db:
            return
        factor = math.exp(change_db / DB_PER_NEPER)
        self._average.response.scale(factor)
        for index, (newest, unfiltered) in enumerate(self._newest):
            self._newest[index] = _scaled(newest, factor), unfiltered
        self._fit = fit.amplified_by(change_db)

    def _update(self, alignment: Alignment) -> bool:
        """Fit the measured response; return False while it has no band with sound."""
        fitter = self._current_fitter()
        if not fitter.is_possible:
            return False
        self._fitter = fitter
        fraction_frames = alignment.delay_frames - alignment.offset_frames
        fit = self._first_fit(fitter, fraction_frames) if self._fit is None else fitter.fit(self._fit, EVALUATIONS)
        if fit.error_sigmas > GOOD_SIGMAS:
            self._reductions = 0
            fit = self._try_another(fitter, fit)
        else:
            self._trials = 0
            fit = self._try_fewer(fitter, fit)
        self._fit = fit
        self._learned_filters.replace(fit.equalizer)
        if self._newest_dry is not None:
            self._filtered_gain.replace(self._learned_filters.filter_newest(self._newest_dry), fit.error_db)
        if self._average.response.channels > 1:
            ratios = self._average.response.channel_ratios(fitter.response_of(fit), BANDS_PER_OCTAVE)
            self._channel_ratios_db = DB_PER_NEPER * np.log(ratios)
        if abs(fit.delay_frames - self._delay_frames) > DELAY_STEP_FRAMES:
            self._delay_frames = fit.delay_frames
            if abs(self._delay_frames - round(self._delay_frames)) < DELAY_STEP_FRAMES:
                self._delay_frames = float(round(self._delay_frames))
        return True

    def _first_fit(self, fitter: ResponseFitter, delay_frames: float) -> EqualizerFit:
        """Fit from filters of 0 dB, and from the measured levels.

        Of two good fits, the cheaper one has the settings of the equalizer that is measured. Otherwise the second one
        must be clearly better: filters that are not needed remain at 0 dB in the first one.
        """
        starts = initial_fit(fitter.gain_db, delay_frames), fitter.leveled_fit(delay_frames)
        flat, leveled = (fitter.fit(start, FIRST_EVALUATIONS) for start in starts)
        if max(flat.error_sigmas, leveled.error_sigmas) <= GOOD_SIGMAS:
            return min(flat, leveled, key=lambda fit: fit.cost)
        return leveled if leveled.error_sigmas < TRIAL_GAIN * flat.error_sigmas else flat

    def _fitter_of(self, memory: "_Memory") -> ResponseFitter:
        rate, settings = self._settings.sample_rate, self._settings
        overlap = settings.window_frames / (settings.hop_frames * self._stride)
        measured = memory.response.band_response(rate, BANDS_PER_OCTAVE, self._learned_filters.equalizer)
        return ResponseFitter(measured, rate, memory.windows / overlap)

    def _current_fitter(self) -> ResponseFitter:
        """Return the fitter of the average, which starts again from the newest response if the two differ."""
        newest_average = _Memory()
        for windows in self._newest:
            newest_average.add(*windows)
        newest, average = (self._fitter_of(memory) for memory in (newest_average, self._average))
        difference_db, sigmas = newest.difference_from(average)
        local_sigmas = newest.local_difference_from(average, MOVED_LOCAL_DB)
        if (difference_db <= MOVED_DB or sigmas <= MOVED_SIGMAS) and local_sigmas <= MOVED_LOCAL_SIGMAS:
            return average
        self._average.restart_from(newest_average)
        self._trials = self._reductions = 0
        return newest

    def _try_another(self, fitter: ResponseFitter, fit: EqualizerFit) -> EqualizerFit:
        """Move one filter, in turn, and keep the result if it is better.

        A peak moves to the largest difference. A shelf returns to its first place: it may have become a part of a peak.
        """
        self._trials += 1
        differences = fitter.level_differences_db(fit)
        if len(differences) < SMOOTH_BANDS or (self._trials > MAX_TRIALS and self._trials % MAX_TRIALS):
            return fit
        moved = self._trials % FILTERS
        frequencies, gains, log_qs = (fit.parameters[part].copy() for part in (OCTAVES, GAINS, LOG_QS))
        if ParametricEQ.KINDS[moved] == "peak":
            smooth = np.convolve(differences, np.full(SMOOTH_BANDS, 1.0 / SMOOTH_BANDS), "valid")
            largest = int(np.abs(smooth).argmax())
            frequencies[moved] = math.log2(float(fitter.frequency_hz[largest + SMOOTH_BANDS // 2]) / 1000.0)
            gains[moved], log_qs[moved] = smooth[largest], 0.0
        else:
            first = initial_fit(0.0, 0.0).parameters
            frequencies[moved], gains[moved], log_qs[moved] = (first[part][moved] for part in (OCTAVES, GAINS, LOG_QS))
        trial = fitter.fit(_with_filters(fit, gains, frequencies, log_qs), TRIAL_EVALUATIONS)
        return trial if trial.error_sigmas < TRIAL_GAIN * fit.error_sigmas else fit

    def _try_fewer(self, fitter: ResponseFitter, fit: EqualizerFit) -> EqualizerFit:
        """Remove filters that do little, or merge two peaks, and keep the result if its cost is lower.

        Several filters can describe one: then none of them has the settings of the equalizer that is measured.
        """
        first = initial_fit(0.0, 0.0).parameters
        gains, octaves, log_qs = (fit.parameters[part].copy() for part in (GAINS, OCTAVES, LOG_QS))
        pairs = [
            (left, right)
            for left, right in itertools.pairwise(range(PEAKS.start, PEAKS.stop))
            if gains[left] * gains[right] > 0.0 and octaves[right] - octaves[left] < MAX_MERGED_OCTAVES
        ]
        number = self._reductions % MAX_TRIALS
        self._reductions += 1
        if number > len(pairs):
            return fit
        if number < len(pairs):
            stronger, other = sorted(pairs[number], key=lambda peak: -abs(gains[peak]))
            total_db = gains[stronger] + gains[other]
            octaves[stronger] = (gains[stronger] * octaves[stronger] + gains[other] * octaves[other]) / total_db
            gains[stronger], gains[other] = total_db, 0.0
        unused = np.abs(gains) < SMALL_DB
        if not gains[unused].any() and number == len(pairs):
            return fit
        gains[unused], octaves[unused], log_qs[unused] = 0.0, first[OCTAVES][unused], first[LOG_QS][unused]
        reduced = fitter.fit(_with_filters(fit, gains, octaves, log_qs), TRIAL_EVALUATIONS)
        # Only the costs of good fits can be compared: a bad one counts its residuals in a larger unit.
        return reduced if reduced.cost < fit.cost and reduced.error_sigmas <= GOOD_SIGMAS else fit

    def _record(self, estimate: Estimate) -> LearnedEqualizer:
        assert self._fit is not None, "recorded after a fit"
        assert self._fitter is not None, "and after a measurement"
        measured, band_std_db = _record_of(self._fitter)
        return LearnedEqualizer(
            estimate.center_frame,
            estimate.available_frame,
            self._fit.equalizer,
            self._fit.deviations_db,
            self._fit.error_db,
            measured,
            band_std_db,
            _path_of(self._fit),
        )

    def _with_learned_gain(self, estimate: Estimate, alignment: Alignment) -> Estimate:
        """Replace the gain of an estimate by the learned one, and its delay by that behind the learned filters.

        The gain of a channel is that behind the filters, which all channels share. The deviation is that of the gain
        among the other parameters, and covers what the newest windows contradict. It is tracking as soon as the filters
        leave little of the measured response and of the newest window.
        """
        if self.latest is None or self._fit is None or math.isnan(estimate.gain_est_db):
            return replace(estimate, state=State.CONVERGING) if estimate.state is State.TRACKING else estimate
        gain_db = float(self._fit.parameters[GAIN])
        channels, ratios_db = len(estimate.channel_gains_db), self._channel_ratios_db
        if ratios_db is None or channels == 1:
            ratios_db = np.zeros(channels)
        change_frames = 0.0
        if alignment.is_known and self._offset_frames == alignment.offset_frames:
            change_frames = alignment.offset_frames + self._delay_frames - alignment.delay_frames
        explained = 0.0 if self._fitter is None else self._fitter.measured.explained_fraction
        change_db = self._filtered_gain.change_db(gain_db)
        is_good = self._fit.error_db <= TRACKING_STD_DB and explained >= MIN_COHERENT_FRACTION
        is_good &= self._filtered_gain.is_consistent
        return replace(
            estimate,
            state=State.CONVERGING if estimate.state is State.TRACKING and not is_good else estimate.state,
            std_db=max(self._fit.gain_std_db, self._filtered_gain.std_db, abs(change_db) / 2.0),
            gain_est_db=gain_db,
            delay_frames=estimate.delay_frames + change_frames,
            channel_gains_db=tuple(
                math.nan if math.isnan(before_db) else gain_db + float(ratio_db)
                for before_db, ratio_db in zip(estimate.channel_gains_db, ratios_db, strict=True)
            ),
            channel_delays_frames=tuple(delay + change_frames for delay in estimate.channel_delays_frames),
        )


class _LearnedFilters:
    """Learned filters, through which the dry signal passes as it has passed through those of the target."""

    def __init__(self, settings: EstimatorSettings) -> None:
        self.equalizer = NO_FILTERS
        self._settings = settings
        self._response: Tensor | None = None
        self._dry = np.empty((0, 0), np.float32)
        self._end_frame = 0

    def replace(self, equalizer: EqualizerFilters) -> None:
        """Use other filters from the next window on."""
        self.equalizer = replace(equalizer, gain_db=0.0)
        self._response = None
        if any(item.gain_db for item in equalizer.filters):
            frames, rate = 2 * self._settings.window_frames, self._settings.sample_rate
            frequency_hz = np.linspace(0.0, rate / 2.0, frames // 2 + 1)
            self._response = torch.from_numpy(self.equalizer.response(frequency_hz, rate)).to(torch.complex64)

    def add(self, window: NDArray[np.float32], start_frame: int) -> None:
        """Add the next window of the dry signal, ``(C, W)``."""
        frames = window.shape[-1]
        new_frames = start_frame + frames - self._end_frame
        if len(self._dry) != len(window) or not 0 < new_frames <= frames:
            self._dry, new_frames = window[:, :0], frames
        self._dry = np.concatenate([self._dry, window[:, frames - new_frames :]], axis=1)[:, -2 * frames :]
        self._end_frame = start_frame + frames

    def filter_newest(self, dry: Spectra) -> Spectra | None:
        """Compute the spectra of the newest window behind the filters, ``(1, C, K)``; `dry` are those before them.

        None without the sound before the window, whose rest leaves the filters in it.
        """
        frames = self._settings.window_frames
        if self._response is None:
            return dry
        if self._dry.shape[-1] < 2 * frames:
            return None
        filtered = torch.fft.irfft(torch.fft.rfft(torch.from_numpy(self._dry)) * self._response)[:, frames:]
        return hann_spectra(filtered.unsqueeze(0)).scaled((dry.power.sum(-1) > 0.0).float())

    def unfiltered_cross(self, dry: Spectra, filtered: Spectra | None) -> Tensor | None:
        """Compute the cross-spectrum of a window with itself behind the filters, divided by their response.

        None without filters, and without the sound before the window.
        """
        if self._response is None or filtered is None:
            return None
        return (dry.bins.conj() * (filtered.bins / self._response[::2]))[0]


class _Memory:
    """Average response with a memory of `memory_windows`, and the number of windows that it stands for."""

    def __init__(self, memory_windows: float = math.inf) -> None:
        self._longest_windows = memory_windows
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.response = ResponseAverage(self._longest_windows)
        self.windows = 0.0

    def add(self, pair: SpectraPair, unfiltered: Tensor | None) -> None:
        """Add spectra of one window, ``(1, C, K)``, as `ResponseAverage.add` does."""
        self.response.add(pair, unfiltered)
        self.windows = self.windows * math.exp(-1.0 / self.response.memory_windows) + 1.0
        self.response.memory_windows = min(self.response.memory_windows + MEMORY_GROWTH, self._longest_windows)

    def restart_from(self, newest: "_Memory") -> None:
        """Take over another average, and continue with a memory of half of its windows, which then grows."""
        self.response.copy_from(newest.response)
        self.response.memory_windows = newest.windows / 2.0
        self.windows = newest.windows


def _scaled(pair: SpectraPair, factor: float) -> SpectraPair:
    """Scale the target of a pair."""
    return SpectraPair(pair.dry, Spectra(factor * pair.target.bins, factor**2 * pair.target.power))


def _without_relative_delays(target: Spectra, alignment: Alignment, channels: int) -> Spectra:
    """Remove what is left of each channel's own delay from spectra ``(B, C, K)``."""
    delays, offsets = alignment.relative_delays_frames, alignment.relative_offsets_frames
    if not any(delay != offset for delay, offset in zip(delays, offsets, strict=True)):
        return target
    left = torch.tensor([delay - offset for delay, offset in zip(delays, offsets, strict=True)][:channels])
    angle = torch.linspace(0.0, math.pi, target.bins.shape[-1]) * left.unsqueeze(-1)
    return Spectra(target.bins * torch.polar(torch.ones_like(angle), angle), target.power)


def _with_filters(fit: EqualizerFit, gains_db: Numbers, octaves: Numbers, log_qs: Numbers) -> EqualizerFit:
    """Give a fit other filters, with the peaks in the order of their frequencies."""
    parameters = fit.parameters.copy()
    order = np.arange(FILTERS)
    order[PEAKS] = PEAKS.start + octaves[PEAKS].argsort()
    parameters[GAINS], parameters[OCTAVES], parameters[LOG_QS] = gains_db[order], octaves[order], log_qs[order]
    return replace(fit, parameters=parameters)


def _record_of(fitter: ResponseFitter) -> tuple[Response, NDArray[np.float64]]:
    """Return levels and coherence, and the standard deviations of the levels, without the bands without any sound."""
    measured = fitter.measured
    audible = np.flatnonzero(measured.coherence > 0.0)[:MAX_BANDS]
    level_db = DB_PER_NEPER * np.log(np.abs(measured.response[audible]))
    response = Response(measured.frequency_hz[audible], level_db, measured.coherence[audible])
    return response, fitter.band_std_db[audible]


def _path_of(fit: EqualizerFit) -> NDArray[np.float64]:
    """Return the path of a descent in dB and Hz: the gain, then gain, frequency and Q of each filter."""
    frequencies_hz = 1000.0 * 2.0 ** fit.path[:, OCTAVES]
    filters = np.stack([fit.path[:, GAINS], frequencies_hz, np.exp(fit.path[:, LOG_QS])], axis=-1)
    return np.concatenate([fit.path[:, GAIN : GAIN + 1], filters.reshape(len(fit.path), -1)], axis=1)[:MAX_PATH]
