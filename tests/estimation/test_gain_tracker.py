"""Gain tracker: averaging of agreeing measurements, detection of changes, reported deviation."""

import math

import numpy as np
import pytest

from rtgain.estimation.estimator import MAX_RECENT_CHANGES
from rtgain.estimation.gain_tracker import (
    FLOOR_STD_DB,
    MEMORY_MEASUREMENTS,
    OVERLAP_VARIANCE_FACTOR,
    GainMeasurement,
    GainTracker,
    robust_mean,
)

CERTAIN_DB = 0.01


def measurements(
    gains_db: "np.ndarray | list[float]", std_db: float = CERTAIN_DB, lag_hops: float = 0.0
) -> list[GainMeasurement]:
    return [GainMeasurement(float(gain_db), std_db, lag_hops) for gain_db in gains_db]


def feed(tracker: GainTracker, measurements_in_order: list[GainMeasurement]) -> tuple[np.ndarray, np.ndarray]:
    """Gain and deviation after each measurement."""
    gains_db, stds_db = [], []
    for measurement in measurements_in_order:
        tracker.update(measurement)
        gains_db.append(tracker.gain_db)
        stds_db.append(tracker.std_db)
    return np.array(gains_db), np.array(stds_db)


def settled(gain_db: float = -9.5, std_db: float = CERTAIN_DB) -> GainTracker:
    tracker = GainTracker()
    feed(tracker, measurements([gain_db] * 60, std_db))
    return tracker


# --- averaging --------------------------------------------------------------------------------------


def test_first_measurement_initializes_gain_and_deviation() -> None:
    tracker = GainTracker()
    assert tracker.std_db == math.inf
    tracker.update(GainMeasurement(-9.5, 0.1))
    assert tracker.gain_db == -9.5
    assert tracker.std_db == pytest.approx(math.hypot(0.1, FLOOR_STD_DB), rel=1e-12)


def test_deviation_falls_by_half_of_each_measurement_until_the_memory_is_full() -> None:
    _, stds_db = feed(GainTracker(), measurements([-9.5] * 400, 0.1))
    one = math.hypot(0.1, FLOOR_STD_DB)
    # 1/σ² grows by half of one measurement's with each further one, until the memory is full …
    count = np.arange(MEMORY_MEASUREMENTS - 1)
    np.testing.assert_allclose(stds_db[: len(count)], one / np.sqrt(1.0 + count / OVERLAP_VARIANCE_FACTOR), rtol=1e-12)
    # … and from then on old ones decay: k / (2 − k) of a measurement's variance remains at a weight of k per new one.
    share = 1.0 / (1.0 + MEMORY_MEASUREMENTS)
    assert stds_db[-1] == pytest.approx(one * math.sqrt(OVERLAP_VARIANCE_FACTOR * share / (2.0 - share)), rel=1e-6)


def test_deviation_has_a_floor() -> None:
    _, stds_db = feed(GainTracker(), measurements([-9.5] * 100, 0.0))
    assert stds_db.min() == FLOOR_STD_DB


def test_measurement_can_have_its_own_floor() -> None:
    _, stds_db = feed(GainTracker(), [GainMeasurement(-9.5, 0.001, floor_std_db=0.002)] * 100)
    assert stds_db[0] == pytest.approx(math.hypot(0.001, 0.002), rel=1e-12)
    assert stds_db[-1] == 0.002


def test_agreeing_measurements_are_averaged() -> None:
    gains_db, _ = feed(GainTracker(), measurements([0.0, 0.1, 0.1], 0.1))
    # Each further measurement has half the weight of the first.
    np.testing.assert_allclose(gains_db, [0.0, 0.1 / 3, 0.1 * 2 / 4], atol=1e-12)


def test_errors_equal_the_reported_deviation_for_overlapping_windows() -> None:
    rng, std_db, trials, hops = np.random.default_rng(1), 0.1, 300, 300
    energy = (np.hanning(4097)[:-1] ** 2).reshape(4, -1).sum(-1)  # of each of the four hops in a window
    energy /= np.linalg.norm(energy)
    errors, stds_db = np.empty((trials, hops)), np.empty((trials, hops))
    for trial in range(trials):
        noise_db = std_db * np.convolve(rng.standard_normal(hops + 3), energy, "valid")
        errors[trial], stds_db[trial] = feed(GainTracker(), measurements(noise_db, std_db))
    ratio = np.sqrt(np.mean((errors / stds_db) ** 2, axis=0))
    assert ratio.min() > 0.85
    assert ratio.max() < 1.25
    assert 0.90 < np.mean(np.abs(errors) <= 2.0 * stds_db) < 0.99


def test_errors_are_at_most_the_reported_deviation_for_independent_measurements() -> None:
    rng, std_db = np.random.default_rng(2), 0.1
    runs = [feed(GainTracker(), measurements(std_db * rng.standard_normal(60), std_db)) for _ in range(300)]
    ratio = np.sqrt(np.mean([(gains_db / stds_db) ** 2 for gains_db, stds_db in runs], axis=0))
    assert ratio[0] == pytest.approx(1.0, abs=0.1)
    assert ratio.max() < 1.1
    # Measurements with half the weight that are independent: √½ in the long run.
    assert ratio[-1] == pytest.approx(math.sqrt(0.5), abs=0.1)


# --- change -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("step_db", [20.0, -20.0, 1.0])
def test_step_is_adopted_from_one_certain_measurement(step_db: float) -> None:
    tracker = settled()
    tracker.update(GainMeasurement(-9.5 + step_db, CERTAIN_DB))
    assert tracker.gain_db == pytest.approx(-9.5 + step_db, abs=1e-9)
    # A window that contains the step can be off by a tenth of it.
    assert tracker.std_db == pytest.approx(math.hypot(0.1 * step_db, CERTAIN_DB), rel=1e-3)
    assert tracker.outliers == 0


def test_second_measurement_after_a_step_reduces_the_deviation() -> None:
    tracker = settled()
    feed(tracker, measurements([10.5, 10.5]))
    assert tracker.gain_db == pytest.approx(10.5, abs=1e-3)
    assert tracker.std_db == pytest.approx(CERTAIN_DB * math.sqrt(OVERLAP_VARIANCE_FACTOR), rel=0.01)


def test_uncertain_outlier_is_counted_and_changes_nothing() -> None:
    tracker = settled()
    tracker.update(GainMeasurement(10.5, 0.6))
    assert tracker.gain_db == -9.5
    assert tracker.outliers == 1
    tracker.update(GainMeasurement(-9.5, CERTAIN_DB))
    assert tracker.outliers == 0
    assert tracker.gain_db == -9.5


@pytest.mark.parametrize(("error_db", "std_db"), [(0.36, 0.078), (-0.61, 0.130), (-0.72, 0.158), (-1.09, 0.191)])
def test_last_window_of_a_phase_rotated_word_changes_nothing(error_db: float, std_db: float) -> None:
    tracker = settled()  # the measurements are those of speech that ends in digital silence, at 37° and 90°
    tracker.update(GainMeasurement(-9.5 + error_db, std_db))
    assert tracker.gain_db == -9.5
    assert tracker.outliers == 1
    tracker.update(GainMeasurement(-9.5, std_db))
    assert tracker.outliers == 0


def test_wrong_first_measurement_is_replaced_by_a_more_certain_one() -> None:
    tracker = GainTracker()
    tracker.update(GainMeasurement(-11.48, 0.114))  # as at the first sound of speech that starts within a window
    tracker.update(GainMeasurement(-12.09, 0.086))
    assert tracker.gain_db == -12.09
    assert tracker.outliers == 0


def test_three_uncertain_outliers_in_a_row_are_a_change() -> None:
    tracker = settled()
    gains_db, _ = feed(tracker, measurements([10.5] * 3, 0.6))
    np.testing.assert_allclose(gains_db, [-9.5, -9.5, 10.5], atol=1e-9)


def test_very_uncertain_measurement_hardly_changes_the_gain() -> None:
    tracker = settled()
    tracker.update(GainMeasurement(-7.5, 5.0))
    assert abs(tracker.gain_db - -9.5) < 1e-5
    assert tracker.outliers == 0


def test_mean_shift_is_a_change() -> None:
    tracker = settled(std_db=0.1)
    gains_db, _ = feed(tracker, measurements([-9.2] * 12, 0.1))
    # Three deviations each: not an outlier; 1 − 0.8^n of 2.9 exceeds the limit of 1.5 at the fourth.
    assert abs(gains_db[2] - -9.5) < 0.03
    np.testing.assert_allclose(gains_db[3:], -9.2, atol=1e-9)


def test_measurements_below_the_noise_are_not_a_change() -> None:
    tracker = settled()
    drowned = [(-2.7, 2.63), (-8.2, 0.86), (-8.6, 1.11), (-5.4, 2.54), (-6.8, 1.22), (-1.1, 2.66)]  # none 4 off
    gains_db, _ = feed(tracker, [GainMeasurement(gain_db, std_db) for gain_db, std_db in drowned])
    np.testing.assert_allclose(gains_db, -9.5, atol=CERTAIN_DB)


@pytest.mark.parametrize("lag_hops", [-1.5, -0.5, 0.0, 0.5, 1.5])
@pytest.mark.parametrize("slope_db", [0.1, -0.5])
def test_ramp_is_tracked_without_lag_at_any_time_in_the_windows(slope_db: float, lag_hops: float) -> None:
    hops = np.arange(1, 80)
    tracker = settled()
    gains_db, stds_db = feed(tracker, measurements(-9.5 + slope_db * (hops + lag_hops), lag_hops=lag_hops))
    errors_db = gains_db - (-9.5 + slope_db * hops)
    assert np.abs(errors_db[8:]).max() < 0.005
    assert np.abs(errors_db[-20:]).max() < 1e-6
    # If the sound is early in a window, the gain at the center is extrapolated along the slope, and less certain.
    assert stds_db[-1] < 2.0 * CERTAIN_DB + 0.5 * abs(slope_db) * max(0.0, -lag_hops)


def test_gain_is_stationary_after_a_ramp() -> None:
    tracker = settled()
    feed(tracker, measurements(-9.5 + 0.5 * np.arange(1, 60)))
    last_db = -9.5 + 0.5 * 59
    gains_db, stds_db = feed(tracker, measurements([last_db] * 80))
    assert np.abs(gains_db - last_db).max() < 0.01
    assert gains_db[-1] == pytest.approx(last_db, abs=1e-6)
    # The slope is reset: without information, neither the gain nor its deviation changes.
    silent_db, silent_std_db = feed(tracker, measurements([math.nan] * 50, math.inf))
    assert set(silent_db) == {gains_db[-1]}
    np.testing.assert_allclose(silent_std_db, stds_db[-1], rtol=1e-9)


def test_repeated_jumps_increase_the_deviation_for_a_while() -> None:
    tracker = settled()
    _, restless_db = feed(tracker, measurements([-9.5, -4.5, -9.5, -4.5, -9.5, -4.5] * 2))
    _, calming_db = feed(tracker, measurements([-4.5] * 350))
    calm_db = CERTAIN_DB * math.sqrt(OVERLAP_VARIANCE_FACTOR / (2 * MEMORY_MEASUREMENTS + 1))
    assert restless_db[-1] > 0.4
    assert calming_db[-1] == pytest.approx(calm_db, rel=0.01)
    # A single step adds no process noise: the deviation is that of a memory that started with it.
    tracker = settled()
    _, one_db = feed(tracker, measurements([-4.5] * 11))
    assert one_db[10] == pytest.approx(CERTAIN_DB / math.sqrt(10 / OVERLAP_VARIANCE_FACTOR), rel=0.1)
    assert calming_db[10] > 1.2 * one_db[10]


# --- missing measurements ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "measurement", [GainMeasurement(10.5, math.inf), GainMeasurement(math.nan, 0.01), GainMeasurement(math.inf, 0.01)]
)
def test_uninformative_window_holds_the_gain(measurement: GainMeasurement) -> None:
    tracker = settled()
    before_db = tracker.std_db
    gains_db, stds_db = feed(tracker, [measurement] * 100)
    assert set(gains_db) == {-9.5}
    assert set(stds_db) == {before_db}


@pytest.mark.parametrize("measurement", [GainMeasurement(10.5, math.inf), GainMeasurement(math.nan, 0.01)])
def test_uninformative_window_does_not_initialize(measurement: GainMeasurement) -> None:
    tracker = GainTracker(gain_db=-3.0)
    tracker.update(measurement)
    assert tracker.gain_db == -3.0
    assert tracker.std_db == math.inf


def test_moving_gain_is_held_through_silence_with_growing_deviation() -> None:
    tracker = settled()
    feed(tracker, measurements(-9.5 + 0.5 * np.arange(1, 60)))
    held_db, known_db = tracker.gain_db, tracker.std_db
    gains_db, stds_db = feed(tracker, measurements([math.nan] * 10, math.inf))
    assert set(gains_db) == {held_db}
    np.testing.assert_allclose(stds_db, known_db + 0.5 * np.arange(1, 11), rtol=1e-6)


# --- mean of a recording ----------------------------------------------------------------------------


def test_robust_mean_is_weighted_by_inverse_variance() -> None:
    gains_db, stds_db = np.array([0.0, 0.02]), np.array([0.01, 0.02])
    mean_db, std_db = robust_mean(gains_db, stds_db)
    variances = stds_db**2 + FLOOR_STD_DB**2
    assert mean_db == pytest.approx(0.02 / variances[1] / (1.0 / variances).sum(), rel=1e-12)
    expected_db = math.sqrt(OVERLAP_VARIANCE_FACTOR / (1.0 / variances).sum() + FLOOR_STD_DB**2)
    assert std_db == pytest.approx(expected_db, rel=1e-12)


def test_robust_mean_rejects_outliers() -> None:
    mean_db, std_db = robust_mean(np.array([-9.5] * 9 + [0.0]), np.full(10, CERTAIN_DB))
    assert mean_db == pytest.approx(-9.5, abs=1e-12)
    assert std_db == pytest.approx(
        math.hypot(CERTAIN_DB, FLOOR_STD_DB) * math.sqrt(OVERLAP_VARIANCE_FACTOR / 9), rel=1e-3
    )


def test_robust_mean_of_disagreeing_windows_is_less_certain() -> None:
    offsets_db = 0.015 * np.tile([-1.0, 1.0], 50)  # three deviations from one another: not outliers
    _, agreeing_db = robust_mean(np.full(100, -9.5), np.full(100, CERTAIN_DB))
    _, disagreeing_db = robust_mean(-9.5 + offsets_db, np.full(100, CERTAIN_DB))
    assert disagreeing_db == pytest.approx(1.5 * agreeing_db, rel=0.02)


def test_robust_mean_of_a_moving_gain_has_the_deviation_of_the_gains() -> None:
    gains_db = np.linspace(-20.0, 0.0, 101)
    mean_db, std_db = robust_mean(gains_db, np.full(101, CERTAIN_DB))
    assert mean_db == pytest.approx(-10.0, abs=1e-9)
    assert std_db == pytest.approx(gains_db.std(), rel=1e-9)


def test_changes_that_follow_each_other_are_counted_and_forgotten_within_two_seconds() -> None:
    tracker = GainTracker()
    for index in range(60):
        tracker.update(GainMeasurement(0.0 if index // 6 % 2 else 6.0, 0.01))
    assert tracker.recent_changes > MAX_RECENT_CHANGES
    for _ in range(94):
        tracker.update(GainMeasurement(6.0, 0.01))
    assert tracker.recent_changes < 1.0
    tracker.update(GainMeasurement(-14.0, 0.01))
    assert 1.0 <= tracker.recent_changes < 2.0
