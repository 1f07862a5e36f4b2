"""Delay tracker: agreement of measurements, averaging and drift, loss of the alignment."""

import functools
import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from rtgain.dsp.delay_estimation import CrossSpectrum, DelayEstimate
from rtgain.dsp.spectra import SpectraPair, hann_spectra
from rtgain.estimation.delay_tracker import (
    AGREEING_MEASUREMENTS,
    ALIGNED,
    MAX_COHERENCE_UNRELATED,
    MAX_FAILED_MEASUREMENTS,
    MIN_COHERENCE_TO_LOCK,
    MIN_COHERENCE_TO_REFINE,
    OFFSET_HYSTERESIS_FRAMES,
    DelayTracker,
    RelativeDelay,
)

WINDOW, WINDOWS = 1024, 16
LENGTH = WINDOW * WINDOWS


@functools.cache
def cross_at(frames: float, snr_db: float = math.inf, seed: int = 1) -> CrossSpectrum:
    """Cross-spectrum of noise windows and of the same noise delayed by `frames` plus other noise."""
    rng = np.random.default_rng(seed)
    dry = rng.standard_normal(LENGTH)
    cycles = np.fft.rfftfreq(LENGTH)
    later = np.fft.irfft(np.fft.rfft(dry) * np.exp(-2j * np.pi * cycles * frames), LENGTH)
    noise = 10.0 ** (-snr_db / 20.0) * rng.standard_normal(LENGTH)
    target = noise if snr_db == -math.inf else later + noise
    cross = CrossSpectrum()
    cut = (torch.from_numpy(sound.reshape(-1, 1, WINDOW).astype(np.float32)) for sound in (dry, target))
    cross.add(SpectraPair(*map(hann_spectra, cut)), torch.ones(WINDOWS))
    return cross


@functools.cache
def unrelated() -> CrossSpectrum:
    cross = CrossSpectrum()
    sounds = np.random.default_rng(7).standard_normal((2, WINDOWS, 1, WINDOW)).astype(np.float32)
    cross.add(SpectraPair(*(hann_spectra(torch.from_numpy(sound)) for sound in sounds)), torch.ones(WINDOWS))
    return cross


@functools.cache
def tonal() -> CrossSpectrum:
    """Cross-spectrum of a tone and the same tone in noise: coherent at this delay and at any other."""
    tone = np.sin(0.3 * np.arange(LENGTH))
    cut = (tone, tone + 0.01 * np.random.default_rng(5).standard_normal(LENGTH))
    cross = CrossSpectrum()
    windows = (torch.from_numpy(sound.reshape(-1, 1, WINDOW).astype(np.float32)) for sound in cut)
    cross.add(SpectraPair(*map(hann_spectra, windows)), torch.ones(WINDOWS))
    return cross


def confident(frames: float) -> DelayEstimate:
    return DelayEstimate(frames, 50.0, True)


NO_DELAY = DelayEstimate(0.0, 3.0, False)


def update_all(tracker: DelayTracker, delays: Sequence[float], coherent_fraction: float = 0.0) -> DelayTracker:
    for frames in delays:
        tracker.update_global(confident(frames), coherent_fraction)
    return tracker


def locked(frames: float = 240.0) -> DelayTracker:
    """Tracker with a confirmed delay from the global search."""
    tracker = update_all(DelayTracker(), [frames] * AGREEING_MEASUREMENTS)
    tracker.update_local(cross_at(0.0))
    return tracker


def test_test_signals_have_the_intended_coherence() -> None:
    assert cross_at(0.0).coherent_fraction > MIN_COHERENCE_TO_LOCK
    assert MIN_COHERENCE_TO_REFINE < cross_at(0.0, snr_db=5.0).coherent_fraction < MIN_COHERENCE_TO_LOCK
    assert MAX_COHERENCE_UNRELATED < cross_at(0.0, snr_db=-3.0).coherent_fraction < MIN_COHERENCE_TO_REFINE
    assert unrelated().coherent_fraction < MAX_COHERENCE_UNRELATED
    assert tonal().coherent_fraction > MIN_COHERENCE_TO_LOCK


# --- search -----------------------------------------------------------------------------------------


def test_initial_delay_is_unknown_and_offset_0() -> None:
    alignment = DelayTracker().alignment
    assert not alignment.is_known
    assert not alignment.not_found
    assert alignment.offset_frames == 0


def test_delay_stays_0_without_search() -> None:
    tracker = DelayTracker(search=False)
    assert tracker.alignment == ALIGNED
    assert not tracker.needs_global_search(unrelated())
    tracker.update_local(cross_at(0.4))
    assert tracker.alignment == ALIGNED


def test_one_local_measurement_locks_at_high_coherence() -> None:
    tracker = DelayTracker()
    tracker.update_local(cross_at(0.37))
    assert tracker.alignment.is_known
    assert tracker.delay_frames == pytest.approx(0.37, abs=0.01)
    assert tracker.offset_frames == 0


def test_tone_needs_a_global_search_and_three_measurements() -> None:
    tracker = DelayTracker()
    for _ in range(AGREEING_MEASUREMENTS):
        assert not tracker.aligned
        assert tracker.needs_global_search(tonal())
        tracker.update_local(tonal())
    assert tracker.aligned
    assert not tracker.alignment.is_known


def test_tone_at_a_known_delay_needs_no_search() -> None:
    assert not locked().needs_global_search(tonal())


def test_low_coherence_needs_three_agreeing_measurements_and_confirmation() -> None:
    tracker, noisy = DelayTracker(), cross_at(0.37, snr_db=5.0)
    for _ in range(AGREEING_MEASUREMENTS - 1):
        tracker.update_local(noisy)
        assert not tracker.aligned
    tracker.update_local(noisy)
    assert tracker.aligned
    assert not tracker.alignment.is_known
    tracker.update_local(noisy)
    assert tracker.alignment.is_known


def test_three_global_measurements_must_agree() -> None:
    tracker = DelayTracker()
    for count, frames in enumerate([4800.0, 4801.0, 4799.5], start=1):
        assert not tracker.aligned
        tracker.update_global(confident(frames), coherent_fraction=0.0)
        assert tracker.aligned == (count == AGREEING_MEASUREMENTS)
    assert tracker.delay_frames == 4800.0  # the middle one
    assert tracker.offset_frames == 4800


def test_disagreeing_measurements_change_nothing() -> None:
    tracker = update_all(DelayTracker(), [100.0, 103.0, 106.0, 100.0, 103.0, 106.0])
    assert not tracker.aligned
    assert tracker.offset_frames == 0
    update_all(tracker, [106.0, 107.0])
    assert tracker.aligned
    assert tracker.offset_frames == 106


def test_unconfident_measurements_change_nothing() -> None:
    tracker = DelayTracker()
    for _ in range(AGREEING_MEASUREMENTS):
        tracker.update_global(DelayEstimate(4800.0, 5.0, False), coherent_fraction=0.0)
    assert not tracker.aligned
    assert tracker.offset_frames == 0


def test_found_delay_is_known_once_windows_confirm_it() -> None:
    tracker = update_all(DelayTracker(), [-4800.0] * AGREEING_MEASUREMENTS)
    assert not tracker.alignment.is_known
    assert tracker.offset_frames == -4800
    assert not tracker.needs_global_search(unrelated()), "first the windows at the new delay are checked"
    tracker.update_local(cross_at(0.25))
    assert tracker.alignment.is_known
    # Half way from the whole frame to the measurement.
    assert tracker.delay_frames == pytest.approx(-4799.875, abs=0.01)


def test_found_delay_is_dropped_if_windows_contradict_it() -> None:
    tracker = update_all(DelayTracker(), [4800.0] * AGREEING_MEASUREMENTS)
    tracker.update_local(unrelated())
    assert not tracker.aligned
    assert not tracker.alignment.is_known
    assert tracker.needs_global_search(unrelated())


def test_global_search_is_needed_only_at_low_coherence() -> None:
    assert DelayTracker().needs_global_search(unrelated())
    assert DelayTracker().needs_global_search(cross_at(0.0, snr_db=5.0))
    assert not DelayTracker().needs_global_search(cross_at(0.0))
    assert not DelayTracker().needs_global_search(CrossSpectrum()), "silence needs no search"
    assert locked().needs_global_search(cross_at(0.0, snr_db=-3.0))
    assert not locked().needs_global_search(cross_at(0.0, snr_db=5.0))


# --- tracking ---------------------------------------------------------------------------------------


def test_delay_is_the_mean_of_its_measurements() -> None:
    tracker = DelayTracker(delay_frames=240.0)
    delays = [0.3, -0.2, 0.1, 0.4]
    expected = 240.0
    for count, frames in enumerate(delays, start=2):
        tracker.update_local(cross_at(frames))
        expected += frames / count
        assert tracker.delay_frames == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("drift", [2e-5, -1e-4])
def test_clock_drift_is_tracked_without_lag(drift: float) -> None:
    tracker, span_frames = DelayTracker(delay_frames=240.0), 16384
    for index in range(1, 40):
        # The mean delay of a measurement's windows is that at their middle.
        true = 240.0 + drift * (index - 0.5) * span_frames
        tracker.update_local(cross_at(round(true - tracker.delay_frames, 3)), span_frames)
        assert abs(tracker.delay_frames - tracker.offset_frames) <= OFFSET_HYSTERESIS_FRAMES
        assert tracker.alignment.is_known
        if index > 4:
            assert tracker.delay_frames == pytest.approx(true + drift * span_frames, abs=0.15)
            assert not tracker.is_steady


def test_constant_delay_is_steady_after_four_measurements() -> None:
    tracker = DelayTracker(delay_frames=240.0)
    for _ in range(3):
        assert not tracker.is_steady
        tracker.update_local(cross_at(0.0), 16384)
    assert tracker.is_steady
    tracker.update_local(cross_at(7.0), 65536)
    assert not tracker.is_steady


def test_offset_does_not_flutter_with_the_fraction() -> None:
    tracker = DelayTracker(delay_frames=240.4)
    offsets = set()
    for frames in [0.3, -0.3] * 6:
        tracker.update_local(cross_at(frames))
        offsets.add(tracker.offset_frames)
    assert offsets == {240}


@pytest.mark.parametrize("delay_frames", [240.0, 240.4, -17.6, 0.0])
def test_tracker_resumes_from_a_known_delay(delay_frames: float) -> None:
    alignment = DelayTracker(delay_frames=delay_frames).alignment
    assert alignment.is_known
    assert alignment.delay_frames == delay_frames
    assert alignment.offset_frames == round(delay_frames)


def test_jump_within_a_window_is_adopted_after_three_measurements() -> None:
    tracker = DelayTracker(delay_frames=240.0)
    for _ in range(AGREEING_MEASUREMENTS):
        assert tracker.offset_frames == 240
        tracker.update_local(cross_at(7.0))
    assert tracker.offset_frames == 247
    tracker.update_local(cross_at(0.0))
    assert tracker.alignment.is_known


# --- loss -------------------------------------------------------------------------------------------


def test_single_incoherent_measurements_keep_the_alignment() -> None:
    tracker = locked()
    for _ in range(AGREEING_MEASUREMENTS - 1):
        tracker.update_global(NO_DELAY, coherent_fraction=0.0)
        assert tracker.alignment.is_known
    tracker.update_local(cross_at(0.0))
    tracker.update_global(NO_DELAY, coherent_fraction=0.0)
    assert tracker.alignment.is_known


def test_three_failed_searches_end_the_alignment() -> None:
    tracker = locked()
    for _ in range(AGREEING_MEASUREMENTS):
        tracker.update_global(NO_DELAY, coherent_fraction=0.0)
    assert not tracker.aligned
    assert not tracker.alignment.is_known


def test_noise_does_not_end_the_alignment() -> None:
    tracker = locked()
    for _ in range(20):
        tracker.update_global(NO_DELAY, coherent_fraction=MAX_COHERENCE_UNRELATED + 0.01)
    assert tracker.alignment.is_known


def test_search_that_finds_the_current_delay_keeps_it() -> None:
    tracker = update_all(locked(240.0), [241.0] * 20, coherent_fraction=0.3)
    assert tracker.alignment.is_known
    assert tracker.delay_frames == pytest.approx(240.0, abs=0.01)


def test_three_agreeing_global_measurements_replace_the_current_delay() -> None:
    tracker = locked(240.0)
    tracker.update_global(confident(4800.0), coherent_fraction=0.0)
    assert not tracker.alignment.is_known
    update_all(tracker, [4800.0] * (AGREEING_MEASUREMENTS - 1))
    assert tracker.offset_frames == 4800


def test_delay_is_not_found_after_ten_failed_measurements() -> None:
    tracker = DelayTracker()
    for count in range(1, MAX_FAILED_MEASUREMENTS + 1):
        assert not tracker.alignment.not_found
        if count % 2:
            tracker.update_global(NO_DELAY, coherent_fraction=0.0)
        else:
            tracker.update_local(unrelated())
    assert tracker.alignment.not_found


def test_confirmed_delay_resets_the_failed_measurements() -> None:
    tracker = DelayTracker()
    for _ in range(MAX_FAILED_MEASUREMENTS):
        tracker.update_global(NO_DELAY, coherent_fraction=0.0)
    update_all(tracker, [240.0] * AGREEING_MEASUREMENTS)
    tracker.update_local(cross_at(0.0))
    assert not tracker.alignment.not_found
    assert tracker.failed_measurements == 0


def test_silence_changes_nothing() -> None:
    tracker = locked()
    before = tracker.alignment
    for _ in range(20):
        tracker.update_local(CrossSpectrum())
    assert tracker.alignment == before
    assert tracker.failed_measurements == 0


def test_channel_whose_delay_jumps_out_of_reach_is_compared_at_the_common_delay_again() -> None:
    channel = RelativeDelay(300.0)
    for _ in range(MAX_FAILED_MEASUREMENTS - 1):
        channel.fail()
    channel.update(300.0)
    channel.fail()
    assert channel.offset_frames == 300, "failures in a row count"
    for _ in range(MAX_FAILED_MEASUREMENTS):
        channel.fail()
    assert (channel.delay_frames, channel.offset_frames) == (0.0, 0)


def test_global_search_for_all_channels_forgets_the_delay_of_each() -> None:
    tracker = DelayTracker(delay_frames=100.0, relative_delays_frames=(0.0, 25.0))
    assert tracker.alignment.offsets_frames(2) == (100, 125)
    for _ in range(3):
        tracker.update_global(confident(700.0), 0.0)
    assert tracker.alignment.offsets_frames(2) == (700, 700)
