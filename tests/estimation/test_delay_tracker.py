"""The aligner's decisions: what it believes of readings, how it follows them, and when it gives up."""

import functools
import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from rtgain.dsp.delay_estimation import CrossSpectrum, DelayEstimate
from rtgain.dsp.spectra import SpectraPair, hann_spectra
from rtgain.estimation.delay_tracker import (
    AGREEING_READINGS,
    ALIGNED,
    MAX_COHERENCE_UNRELATED,
    MAX_FAILED_READINGS,
    MIN_COHERENCE_TO_LOCK,
    MIN_COHERENCE_TO_REFINE,
    OFFSET_HYSTERESIS_FRAMES,
    DelayTracker,
)

WINDOW, WINDOWS = 1024, 16
LENGTH = WINDOW * WINDOWS


@functools.cache
def cross_at(frames: float, snr_db: float = math.inf, seed: int = 1) -> CrossSpectrum:
    """What windows of noise and of the same noise later by `frames`, in other noise, give."""
    rng = np.random.default_rng(seed)
    dry = rng.standard_normal(LENGTH)
    cycles = np.fft.rfftfreq(LENGTH)
    later = np.fft.irfft(np.fft.rfft(dry) * np.exp(-2j * np.pi * cycles * frames), LENGTH)
    noise = 10.0 ** (-snr_db / 20.0) * rng.standard_normal(LENGTH)
    target = noise if snr_db == -math.inf else later + noise
    cross = CrossSpectrum()
    cut = (torch.from_numpy(sound.reshape(-1, WINDOW).astype(np.float32)) for sound in (dry, target))
    cross.add(SpectraPair(*map(hann_spectra, cut)), torch.ones(WINDOWS))
    return cross


@functools.cache
def unrelated() -> CrossSpectrum:
    cross = CrossSpectrum()
    sounds = np.random.default_rng(7).standard_normal((2, WINDOWS, WINDOW)).astype(np.float32)
    cross.add(SpectraPair(*(hann_spectra(torch.from_numpy(sound)) for sound in sounds)), torch.ones(WINDOWS))
    return cross


@functools.cache
def tonal() -> CrossSpectrum:
    """A tone, and the same tone in noise: well explained, at this delay and at any."""
    tone = np.sin(0.3 * np.arange(LENGTH))
    cut = (tone, tone + 0.01 * np.random.default_rng(5).standard_normal(LENGTH))
    cross = CrossSpectrum()
    windows = (torch.from_numpy(sound.reshape(-1, WINDOW).astype(np.float32)) for sound in cut)
    cross.add(SpectraPair(*map(hann_spectra, windows)), torch.ones(WINDOWS))
    return cross


def sure(frames: float) -> DelayEstimate:
    return DelayEstimate(frames, 50.0, True)


NOTHING = DelayEstimate(0.0, 3.0, False)


def take_all(aligner: DelayTracker, delays: Sequence[float], coherent_fraction: float = 0.0) -> DelayTracker:
    for frames in delays:
        aligner.update_global(sure(frames), coherent_fraction)
    return aligner


def locked(frames: float = 240.0) -> DelayTracker:
    """An aligner that found a delay and had it confirmed."""
    aligner = take_all(DelayTracker(), [frames] * AGREEING_READINGS)
    aligner.update_local(cross_at(0.0))
    return aligner


def test_the_sounds_of_these_tests_are_explained_as_they_are_meant_to_be() -> None:
    assert cross_at(0.0).coherent_fraction > MIN_COHERENCE_TO_LOCK
    assert MIN_COHERENCE_TO_REFINE < cross_at(0.0, snr_db=5.0).coherent_fraction < MIN_COHERENCE_TO_LOCK
    assert MAX_COHERENCE_UNRELATED < cross_at(0.0, snr_db=-3.0).coherent_fraction < MIN_COHERENCE_TO_REFINE
    assert unrelated().coherent_fraction < MAX_COHERENCE_UNRELATED
    assert tonal().coherent_fraction > MIN_COHERENCE_TO_LOCK


# --- finding ----------------------------------------------------------------------------------------


def test_at_first_no_delay_is_known_and_windows_are_taken_side_by_side() -> None:
    alignment = DelayTracker().alignment
    assert not alignment.known
    assert not alignment.not_found
    assert alignment.offset_frames == 0


def test_with_the_search_off_the_delay_is_zero_for_good() -> None:
    aligner = DelayTracker(search=False)
    assert aligner.alignment == ALIGNED
    assert not aligner.needs_global_search(unrelated())
    aligner.update_local(cross_at(0.4))
    assert aligner.alignment == ALIGNED


def test_one_reading_at_the_present_place_is_enough_where_nearly_all_is_explained() -> None:
    aligner = DelayTracker()
    aligner.update_local(cross_at(0.37))
    assert aligner.alignment.known
    assert aligner.delay_frames == pytest.approx(0.37, abs=0.01)
    assert aligner.offset_frames == 0


def test_a_tone_at_the_present_place_has_the_whole_range_searched_and_needs_three_readings() -> None:
    aligner = DelayTracker()
    for _ in range(AGREEING_READINGS):
        assert not aligner.aligned
        assert aligner.needs_global_search(tonal())
        aligner.update_local(tonal())
    assert aligner.aligned
    assert not aligner.alignment.known


def test_once_a_delay_is_known_a_tone_is_no_reason_to_search() -> None:
    assert not locked().needs_global_search(tonal())


def test_where_less_is_explained_three_readings_must_agree_and_then_be_confirmed() -> None:
    aligner, noisy = DelayTracker(), cross_at(0.37, snr_db=5.0)
    for _ in range(AGREEING_READINGS - 1):
        aligner.update_local(noisy)
        assert not aligner.aligned
    aligner.update_local(noisy)
    assert aligner.aligned
    assert not aligner.alignment.known
    aligner.update_local(noisy)
    assert aligner.alignment.known


def test_three_readings_out_of_the_whole_range_must_agree() -> None:
    aligner = DelayTracker()
    for count, frames in enumerate([4800.0, 4801.0, 4799.5], start=1):
        assert not aligner.aligned
        aligner.update_global(sure(frames), coherent_fraction=0.0)
        assert aligner.aligned == (count == AGREEING_READINGS)
    assert aligner.delay_frames == 4800.0  # the middle one
    assert aligner.offset_frames == 4800


def test_readings_that_do_not_agree_move_nothing() -> None:
    aligner = take_all(DelayTracker(), [100.0, 103.0, 106.0, 100.0, 103.0, 106.0])
    assert not aligner.aligned
    assert aligner.offset_frames == 0
    take_all(aligner, [106.0, 107.0])
    assert aligner.aligned
    assert aligner.offset_frames == 106


def test_readings_that_are_not_confident_move_nothing() -> None:
    aligner = DelayTracker()
    for _ in range(AGREEING_READINGS):
        aligner.update_global(DelayEstimate(4800.0, 5.0, False), coherent_fraction=0.0)
    assert not aligner.aligned
    assert aligner.offset_frames == 0


def test_a_delay_that_was_found_is_known_once_the_windows_taken_at_it_agree() -> None:
    aligner = take_all(DelayTracker(), [-4800.0] * AGREEING_READINGS)
    assert not aligner.alignment.known
    assert aligner.offset_frames == -4800
    assert not aligner.needs_global_search(unrelated()), "first the windows at the new place are looked at"
    aligner.update_local(cross_at(0.25))
    assert aligner.alignment.known
    assert aligner.delay_frames == pytest.approx(-4799.875, abs=0.01)  # half way from the whole frame to the reading


def test_a_delay_that_was_found_is_given_up_when_the_windows_taken_at_it_do_not_agree() -> None:
    aligner = take_all(DelayTracker(), [4800.0] * AGREEING_READINGS)
    aligner.update_local(unrelated())
    assert not aligner.aligned
    assert not aligner.alignment.known
    assert aligner.needs_global_search(unrelated())


def test_the_whole_range_is_searched_only_where_the_windows_explain_too_little() -> None:
    assert DelayTracker().needs_global_search(unrelated())
    assert DelayTracker().needs_global_search(cross_at(0.0, snr_db=5.0))
    assert not DelayTracker().needs_global_search(cross_at(0.0))
    assert not DelayTracker().needs_global_search(CrossSpectrum()), "silence is no reason"
    assert locked().needs_global_search(cross_at(0.0, snr_db=-3.0))
    assert not locked().needs_global_search(cross_at(0.0, snr_db=5.0))


# --- following --------------------------------------------------------------------------------------


def test_the_delay_is_the_mean_of_its_readings() -> None:
    aligner = DelayTracker(delay_frames=240.0)
    readings = [0.3, -0.2, 0.1, 0.4]
    expected = 240.0
    for count, frames in enumerate(readings, start=2):
        aligner.update_local(cross_at(frames))
        expected += frames / count
        assert aligner.delay_frames == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("drift", [2e-5, -1e-4])
def test_the_drift_of_two_clocks_is_followed_without_delay(drift: float) -> None:
    aligner, span_frames = DelayTracker(delay_frames=240.0), 16384
    for reading in range(1, 40):
        # The windows of a reading have on average the delay of their middle.
        true = 240.0 + drift * (reading - 0.5) * span_frames
        aligner.update_local(cross_at(round(true - aligner.delay_frames, 3)), span_frames)
        assert abs(aligner.delay_frames - aligner.offset_frames) <= OFFSET_HYSTERESIS_FRAMES
        assert aligner.alignment.known
        if reading > 4:
            assert aligner.delay_frames == pytest.approx(true + drift * span_frames, abs=0.15)
            assert not aligner.steady


def test_a_delay_that_stands_still_is_read_less_often_after_four_readings() -> None:
    aligner = DelayTracker(delay_frames=240.0)
    for _ in range(3):
        assert not aligner.steady
        aligner.update_local(cross_at(0.0), 16384)
    assert aligner.steady
    aligner.update_local(cross_at(7.0), 65536)
    assert not aligner.steady


def test_the_whole_frames_do_not_flutter_with_the_fraction() -> None:
    aligner = DelayTracker(delay_frames=240.4)
    offsets = set()
    for frames in [0.3, -0.3] * 6:
        aligner.update_local(cross_at(frames))
        offsets.add(aligner.offset_frames)
    assert offsets == {240}


@pytest.mark.parametrize("delay_frames", [240.0, 240.4, -17.6, 0.0])
def test_a_delay_that_was_known_before_is_taken_up_again(delay_frames: float) -> None:
    alignment = DelayTracker(delay_frames=delay_frames).alignment
    assert alignment.known
    assert alignment.delay_frames == delay_frames
    assert alignment.offset_frames == round(delay_frames)


def test_a_jump_within_a_window_is_followed_when_three_readings_agree() -> None:
    aligner = DelayTracker(delay_frames=240.0)
    for _ in range(AGREEING_READINGS):
        assert aligner.offset_frames == 240
        aligner.update_local(cross_at(7.0))
    assert aligner.offset_frames == 247
    aligner.update_local(cross_at(0.0))
    assert aligner.alignment.known


# --- losing -----------------------------------------------------------------------------------------


def test_one_window_in_which_nothing_is_explained_loses_nothing() -> None:
    aligner = locked()
    for _ in range(AGREEING_READINGS - 1):
        aligner.update_global(NOTHING, coherent_fraction=0.0)
        assert aligner.alignment.known
    aligner.update_local(cross_at(0.0))
    aligner.update_global(NOTHING, coherent_fraction=0.0)
    assert aligner.alignment.known


def test_three_searches_in_vain_in_a_row_lose_the_alignment() -> None:
    aligner = locked()
    for _ in range(AGREEING_READINGS):
        aligner.update_global(NOTHING, coherent_fraction=0.0)
    assert not aligner.aligned
    assert not aligner.alignment.known


def test_noise_alone_does_not_lose_it() -> None:
    aligner = locked()
    for _ in range(20):
        aligner.update_global(NOTHING, coherent_fraction=MAX_COHERENCE_UNRELATED + 0.01)
    assert aligner.alignment.known


def test_a_search_that_finds_the_present_place_again_loses_nothing() -> None:
    aligner = take_all(locked(240.0), [241.0] * 20, coherent_fraction=0.3)
    assert aligner.alignment.known
    assert aligner.delay_frames == pytest.approx(240.0, abs=0.01)


def test_another_place_that_is_surely_better_ends_the_present_one_and_is_taken_when_three_agree() -> None:
    aligner = locked(240.0)
    aligner.update_global(sure(4800.0), coherent_fraction=0.0)
    assert not aligner.alignment.known
    take_all(aligner, [4800.0] * (AGREEING_READINGS - 1))
    assert aligner.offset_frames == 4800


def test_after_ten_readings_in_vain_there_is_no_hope() -> None:
    aligner = DelayTracker()
    for count in range(1, MAX_FAILED_READINGS + 1):
        assert not aligner.alignment.not_found
        if count % 2:
            aligner.update_global(NOTHING, coherent_fraction=0.0)
        else:
            aligner.update_local(unrelated())
    assert aligner.alignment.not_found


def test_hope_returns_with_a_delay_that_is_confirmed() -> None:
    aligner = DelayTracker()
    for _ in range(MAX_FAILED_READINGS):
        aligner.update_global(NOTHING, coherent_fraction=0.0)
    take_all(aligner, [240.0] * AGREEING_READINGS)
    aligner.update_local(cross_at(0.0))
    assert not aligner.alignment.not_found
    assert aligner.failed_readings == 0


def test_silence_changes_nothing() -> None:
    aligner = locked()
    before = aligner.alignment
    for _ in range(20):
        aligner.update_local(CrossSpectrum())
    assert aligner.alignment == before
    assert aligner.failed_readings == 0
