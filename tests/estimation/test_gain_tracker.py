"""The tracker's memory: calm while readings agree, at once when the gain moved, and as sure as it says."""

import math

import numpy as np
import pytest

from rtgain.estimation.gain_tracker import (
    FLOOR_STD_DB,
    MEMORY_READINGS,
    OVERLAP_VARIANCE_FACTOR,
    GainMeasurement,
    GainTracker,
)

SURE_DB = 0.01


def readings(
    gains_db: "np.ndarray | list[float]", std_db: float = SURE_DB, lag_hops: float = 0.0
) -> list[GainMeasurement]:
    return [GainMeasurement(float(gain_db), std_db, lag_hops) for gain_db in gains_db]


def feed(tracker: GainTracker, more: list[GainMeasurement]) -> tuple[np.ndarray, np.ndarray]:
    """Gains and deviations after each reading."""
    gains_db, stds_db = [], []
    for reading in more:
        tracker.update(reading)
        gains_db.append(tracker.gain_db)
        stds_db.append(tracker.std_db)
    return np.array(gains_db), np.array(stds_db)


def settled(gain_db: float = -9.5, std_db: float = SURE_DB) -> GainTracker:
    tracker = GainTracker()
    feed(tracker, readings([gain_db] * 60, std_db))
    return tracker


# --- rest -------------------------------------------------------------------------------------------


def test_nothing_is_known_before_the_first_reading_and_that_is_taken_as_it_is() -> None:
    tracker = GainTracker()
    assert tracker.std_db == math.inf
    tracker.update(GainMeasurement(-9.5, 0.1))
    assert tracker.gain_db == -9.5
    assert tracker.std_db == pytest.approx(math.hypot(0.1, FLOOR_STD_DB), rel=1e-12)


def test_deviation_falls_as_of_readings_half_of_which_are_new_until_the_memory_is_full() -> None:
    _, stds_db = feed(GainTracker(), readings([-9.5] * 400, 0.1))
    one = math.hypot(0.1, FLOOR_STD_DB)
    # 1/σ² grows by half of one reading's with each more, until the memory is full …
    count = np.arange(MEMORY_READINGS - 1)
    np.testing.assert_allclose(stds_db[: len(count)], one / np.sqrt(1.0 + count / OVERLAP_VARIANCE_FACTOR), rtol=1e-12)
    # … and from then on readings fade, which leaves k / (2 − k) of their variance where each new one counts k.
    share = 1.0 / (1.0 + MEMORY_READINGS)
    assert stds_db[-1] == pytest.approx(one * math.sqrt(OVERLAP_VARIANCE_FACTOR * share / (2.0 - share)), rel=1e-6)


def test_nothing_is_believed_beyond_the_floor() -> None:
    _, stds_db = feed(GainTracker(), readings([-9.5] * 100, 0.0))
    assert stds_db.min() == FLOOR_STD_DB


def test_a_reading_with_a_floor_of_its_own_is_not_believed_beyond_that() -> None:
    _, stds_db = feed(GainTracker(), [GainMeasurement(-9.5, 0.001, floor_std_db=0.002)] * 100)
    assert stds_db[0] == pytest.approx(math.hypot(0.001, 0.002), rel=1e-12)
    assert stds_db[-1] == 0.002


def test_readings_that_agree_are_averaged() -> None:
    gains_db, _ = feed(GainTracker(), readings([0.0, 0.1, 0.1], 0.1))
    # Each further reading has half the weight of the first.
    np.testing.assert_allclose(gains_db, [0.0, 0.1 / 3, 0.1 * 2 / 4], atol=1e-12)


def test_errors_are_as_large_as_stated_where_windows_overlap_by_three_quarters() -> None:
    rng, std_db, trials, hops = np.random.default_rng(1), 0.1, 300, 300
    energy = (np.hanning(4097)[:-1] ** 2).reshape(4, -1).sum(-1)  # of each of the four hops in a window
    energy /= np.linalg.norm(energy)
    errors, stds_db = np.empty((trials, hops)), np.empty((trials, hops))
    for trial in range(trials):
        noise_db = std_db * np.convolve(rng.standard_normal(hops + 3), energy, "valid")
        errors[trial], stds_db[trial] = feed(GainTracker(), readings(noise_db, std_db))
    ratio = np.sqrt(np.mean((errors / stds_db) ** 2, axis=0))
    assert ratio.min() > 0.85
    assert ratio.max() < 1.25
    assert 0.90 < np.mean(np.abs(errors) <= 2.0 * stds_db) < 0.99


def test_errors_are_not_larger_than_stated_where_readings_are_independent() -> None:
    rng, std_db = np.random.default_rng(2), 0.1
    runs = [feed(GainTracker(), readings(std_db * rng.standard_normal(60), std_db)) for _ in range(300)]
    ratio = np.sqrt(np.mean([(gains_db / stds_db) ** 2 for gains_db, stds_db in runs], axis=0))
    assert ratio[0] == pytest.approx(1.0, abs=0.1)
    assert ratio.max() < 1.1
    # What is worth half a reading but counts as independent: √½ in the long run.
    assert ratio[-1] == pytest.approx(math.sqrt(0.5), abs=0.1)


# --- change -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("step_db", [20.0, -20.0, 1.0])
def test_a_step_is_taken_in_one_reading_that_is_sure(step_db: float) -> None:
    tracker = settled()
    tracker.update(GainMeasurement(-9.5 + step_db, SURE_DB))
    assert tracker.gain_db == pytest.approx(-9.5 + step_db, abs=1e-9)
    # How far a window that saw the step can be off: a tenth of it.
    assert tracker.std_db == pytest.approx(math.hypot(0.1 * step_db, SURE_DB), rel=1e-3)
    assert tracker.outliers == 0


def test_after_a_step_one_more_reading_makes_it_sure_again() -> None:
    tracker = settled()
    feed(tracker, readings([10.5, 10.5]))
    assert tracker.gain_db == pytest.approx(10.5, abs=1e-3)
    assert tracker.std_db == pytest.approx(SURE_DB * math.sqrt(OVERLAP_VARIANCE_FACTOR), rel=0.01)


def test_an_unsure_outlier_puts_in_doubt_but_does_not_move() -> None:
    tracker = settled()
    tracker.update(GainMeasurement(10.5, 0.6))
    assert tracker.gain_db == -9.5
    assert tracker.outliers == 1
    tracker.update(GainMeasurement(-9.5, SURE_DB))
    assert tracker.outliers == 0
    assert tracker.gain_db == -9.5


@pytest.mark.parametrize(("error_db", "std_db"), [(0.36, 0.078), (-0.61, 0.130), (-0.72, 0.158), (-1.09, 0.191)])
def test_the_last_window_of_a_word_whose_phase_was_turned_moves_nothing(error_db: float, std_db: float) -> None:
    tracker = settled()  # the readings are those of speech that ends in digital silence, at 37° and 90°
    tracker.update(GainMeasurement(-9.5 + error_db, std_db))
    assert tracker.gain_db == -9.5
    assert tracker.outliers == 1
    tracker.update(GainMeasurement(-9.5, std_db))
    assert tracker.outliers == 0


def test_a_first_reading_that_was_wrong_is_given_up_for_one_that_is_surer() -> None:
    tracker = GainTracker()
    tracker.update(GainMeasurement(-11.48, 0.114))  # as at the first sound of speech that sets in amid a window
    tracker.update(GainMeasurement(-12.09, 0.086))
    assert tracker.gain_db == -12.09
    assert tracker.outliers == 0


def test_three_unsure_outliers_in_a_row_are_a_change() -> None:
    tracker = settled()
    gains_db, _ = feed(tracker, readings([10.5] * 3, 0.6))
    np.testing.assert_allclose(gains_db, [-9.5, -9.5, 10.5], atol=1e-9)


def test_a_reading_that_is_far_off_but_knows_it_hardly_moves() -> None:
    tracker = settled()
    tracker.update(GainMeasurement(-7.5, 5.0))
    assert abs(tracker.gain_db - -9.5) < 1e-5
    assert tracker.outliers == 0


def test_readings_all_on_one_side_are_a_change_though_each_could_be_noise() -> None:
    tracker = settled(std_db=0.1)
    gains_db, _ = feed(tracker, readings([-9.2] * 12, 0.1))
    # Three deviations each: too few for an outlier; 1 − 0.8^n of 2.9 exceeds the limit of 1.5 at the fourth.
    assert abs(gains_db[2] - -9.5) < 0.03
    np.testing.assert_allclose(gains_db[3:], -9.2, atol=1e-9)


def test_readings_that_read_high_because_noise_drowns_them_are_no_change() -> None:
    tracker = settled()
    drowned = [(-2.7, 2.63), (-8.2, 0.86), (-8.6, 1.11), (-5.4, 2.54), (-6.8, 1.22), (-1.1, 2.66)]  # none 4 off
    gains_db, _ = feed(tracker, [GainMeasurement(gain_db, std_db) for gain_db, std_db in drowned])
    np.testing.assert_allclose(gains_db, -9.5, atol=SURE_DB)


@pytest.mark.parametrize("lag_hops", [-1.5, -0.5, 0.0, 0.5, 1.5])
@pytest.mark.parametrize("slope_db", [0.1, -0.5])
def test_a_ramp_is_followed_without_lag_wherever_in_their_windows_it_is_heard(slope_db: float, lag_hops: float) -> None:
    hops = np.arange(1, 80)
    tracker = settled()
    gains_db, stds_db = feed(tracker, readings(-9.5 + slope_db * (hops + lag_hops), lag_hops=lag_hops))
    errors_db = gains_db - (-9.5 + slope_db * hops)
    assert np.abs(errors_db[8:]).max() < 0.005
    assert np.abs(errors_db[-20:]).max() < 1e-6
    # Where sound comes early in a window, the gain at its centre is a guess along the slope, and less sure.
    assert stds_db[-1] < 2.0 * SURE_DB + 0.5 * abs(slope_db) * max(0.0, -lag_hops)


def test_where_a_ramp_ends_the_gain_rests() -> None:
    tracker = settled()
    feed(tracker, readings(-9.5 + 0.5 * np.arange(1, 60)))
    last_db = -9.5 + 0.5 * 59
    gains_db, stds_db = feed(tracker, readings([last_db] * 80))
    assert np.abs(gains_db - last_db).max() < 0.01
    assert gains_db[-1] == pytest.approx(last_db, abs=1e-6)
    # The slope is forgotten: with nothing told, nothing moves and nothing becomes less sure.
    silent_db, silent_std_db = feed(tracker, readings([math.nan] * 50, math.inf))
    assert set(silent_db) == {gains_db[-1]}
    np.testing.assert_allclose(silent_std_db, stds_db[-1], rtol=1e-9)


def test_a_gain_that_jumps_about_is_not_sure_for_long_and_calms_down() -> None:
    tracker = settled()
    _, restless_db = feed(tracker, readings([-9.5, -4.5, -9.5, -4.5, -9.5, -4.5] * 2))
    _, calming_db = feed(tracker, readings([-4.5] * 350))
    calm_db = SURE_DB * math.sqrt(OVERLAP_VARIANCE_FACTOR / (2 * MEMORY_READINGS + 1))
    assert restless_db[-1] > 0.4
    assert calming_db[-1] == pytest.approx(calm_db, rel=0.01)
    # One step alone brings no unrest: it is as sure as a memory that began with it.
    tracker = settled()
    _, one_db = feed(tracker, readings([-4.5] * 11))
    assert one_db[10] == pytest.approx(SURE_DB / math.sqrt(10 / OVERLAP_VARIANCE_FACTOR), rel=0.1)
    assert calming_db[10] > 1.2 * one_db[10]


# --- nothing told -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reading", [GainMeasurement(10.5, math.inf), GainMeasurement(math.nan, 0.01), GainMeasurement(math.inf, 0.01)]
)
def test_a_window_that_tells_nothing_holds_the_gain(reading: GainMeasurement) -> None:
    tracker = settled()
    before_db = tracker.std_db
    gains_db, stds_db = feed(tracker, [reading] * 100)
    assert set(gains_db) == {-9.5}
    assert set(stds_db) == {before_db}


@pytest.mark.parametrize("reading", [GainMeasurement(10.5, math.inf), GainMeasurement(math.nan, 0.01)])
def test_a_window_that_tells_nothing_begins_nothing(reading: GainMeasurement) -> None:
    tracker = GainTracker(gain_db=-3.0)
    tracker.update(reading)
    assert tracker.gain_db == -3.0
    assert tracker.std_db == math.inf


def test_a_moving_gain_is_held_through_silence_and_becomes_less_sure_by_its_slope() -> None:
    tracker = settled()
    feed(tracker, readings(-9.5 + 0.5 * np.arange(1, 60)))
    held_db, known_db = tracker.gain_db, tracker.std_db
    gains_db, stds_db = feed(tracker, readings([math.nan] * 10, math.inf))
    assert set(gains_db) == {held_db}
    np.testing.assert_allclose(stds_db, known_db + 0.5 * np.arange(1, 11), rtol=1e-6)
