"""Estimator on windows of known gain: values, states, polarity, batches, resumption."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.signal
from numpy.typing import NDArray

from rtgain.config.estimator_settings import DEFAULT_SCHEDULES, EstimatorSettings
from rtgain.config.names import LOSSES
from rtgain.dsp.delay_estimation import CrossSpectrum
from rtgain.dsp.processors import DB_PER_NEPER
from rtgain.estimation.delay_tracker import Alignment
from rtgain.estimation.descent import SETTLED_LOG
from rtgain.estimation.estimator import INCOHERENT_AFTER_S, TRACKING_STD_DB, Estimator
from rtgain.estimation.gain_tracker import SHIFTED_FLOOR_STD_DB
from rtgain.estimation.window_features import SILENCE_RMS, Windows
from rtgain.records.estimate import ESTIMATE_FIELDS, Estimate, State

RATE, WINDOW, HOP = 16_000, 1024, 256
GAIN = 0.15
GAIN_DB = 20.0 * math.log10(GAIN)

Signal = NDArray[np.float64]


def settings(**values: object) -> EstimatorSettings:
    return EstimatorSettings(RATE, WINDOW, HOP, **values)  # type: ignore[arg-type]


def noise(hops: int, seed: int = 1, rms: float = 0.1) -> Signal:
    return rms * np.random.default_rng(seed).standard_normal((hops - 1) * HOP + WINDOW)


def cut(signal: Signal) -> NDArray[np.float32]:
    return np.lib.stride_tricks.sliding_window_view(signal.astype(np.float32), WINDOW)[::HOP, None].copy()


def windows_of(dry: Signal, target: Signal) -> Windows:
    starts = np.arange(0, len(dry) - WINDOW + 1, HOP, dtype=np.float64)
    gain_true_db = np.full(len(starts), GAIN_DB)
    return Windows(cut(dry), cut(target), starts + WINDOW / 2, starts + WINDOW, gain_true_db)


def part(windows: Windows, begin: int, end: int) -> Windows:
    return Windows(*(getattr(windows, name)[begin:end] for name in Windows.__dataclass_fields__))


def estimate(dry: Signal, target: Signal, estimator: Estimator | None = None) -> list[Estimate]:
    return (estimator or Estimator(settings())).estimate(windows_of(dry, target))


def rows(estimates: list[Estimate]) -> NDArray[np.float64]:
    return np.array([one.to_row() for one in estimates])


def errors_db(estimates: list[Estimate]) -> NDArray[np.float64]:
    return np.array([one.gain_est_db - GAIN_DB for one in estimates])


def states(estimates: list[Estimate]) -> set[State]:
    return {one.state for one in estimates}


# --- gain -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["spectral", "waveform"])
def test_constant_gain_is_found_in_the_first_window(loss: str) -> None:
    dry = noise(20)
    estimates = estimate(dry, GAIN * dry, Estimator(settings(loss=loss)))
    assert np.abs(errors_db(estimates)).max() < 0.001
    assert states(estimates) == {State.TRACKING}
    assert {one.polarity for one in estimates} == {1}
    for one in estimates:
        assert one.gain_opt_db == pytest.approx(GAIN_DB, abs=1e-4)
        assert one.gain_true_db == GAIN_DB
        assert one.std_db < 0.001
        assert one.delay_frames == 0.0
        assert one.loss < 1e-3
        assert 1 <= one.steps <= 32


def test_estimate_times_are_those_of_the_windows() -> None:
    dry = noise(5)
    windows = windows_of(dry, GAIN * dry)
    estimates = Estimator(settings()).estimate(windows)
    assert [one.center_frame for one in estimates] == [512.0 + 256 * hop for hop in range(5)]
    assert [one.available_frame for one in estimates] == [1024.0 + 256 * hop for hop in range(5)]


@pytest.mark.parametrize("gain_db", [-70.0, -40.0, 0.0, 30.0])
@pytest.mark.parametrize("level_db", [-60.0, 0.0])
def test_any_gain_is_found_at_any_level(gain_db: float, level_db: float) -> None:
    dry = 10.0 ** (level_db / 20.0) * noise(6)
    last = estimate(dry, 10.0 ** (gain_db / 20.0) * dry)[-1]
    assert last.gain_est_db == pytest.approx(gain_db, abs=0.001)
    assert last.state is State.TRACKING


def test_level_of_minus_60_db_gives_equal_estimates() -> None:
    rng, dry = np.random.default_rng(3), noise(60)
    target = GAIN * np.linspace(1.0, 2.0, len(dry)) * dry + 0.001 * rng.standard_normal(len(dry))
    loud, quiet = (rows(estimate(level * dry, level * target)) for level in (1.0, 1e-3))
    np.testing.assert_allclose(quiet[:, 3:9], loud[:, 3:9], atol=1e-3)
    np.testing.assert_array_equal(quiet[:, 10], loud[:, 10])


@pytest.mark.parametrize("optimizer", DEFAULT_SCHEDULES)
@pytest.mark.parametrize("loss", ["spectral", "waveform"])
def test_every_optimizer_and_loss_reach_a_constant_gain(optimizer: str, loss: str) -> None:
    dry = noise(30)
    estimates = estimate(dry, GAIN * dry, Estimator(settings(loss=loss, optimizer=optimizer)))
    # The first step of these optimizers has the same length at the optimum as elsewhere.
    restless = optimizer in ("Adam", "AdamW", "RAdam")
    assert abs(errors_db(estimates)[-1]) < (0.2 if restless else 0.01)


@pytest.mark.parametrize("snr_db", [10.0, 20.0, 30.0])
def test_errors_in_noise_are_within_two_deviations(snr_db: float) -> None:
    within: list[bool] = []
    for seed in range(6):
        dry = scipy.signal.lfilter([1.0], [1.0, -0.9], noise(120, seed))
        strength = GAIN * dry.std() * 10.0 ** (-snr_db / 20.0)
        target = GAIN * dry + strength * np.random.default_rng(seed + 50).standard_normal(len(dry))
        estimates = estimate(dry, target)
        within += [abs(one.gain_est_db - GAIN_DB) <= 2.0 * one.std_db for one in estimates]
    assert np.mean(within) > 0.8


def test_closed_form_deviation_is_that_of_a_single_window() -> None:
    dry = noise(40)
    target = GAIN * dry + 0.001 * np.random.default_rng(5).standard_normal(len(dry))
    estimates = estimate(dry, target)
    assert estimates[0].opt_std_db == pytest.approx(estimates[0].std_db, rel=1e-3)
    assert min(one.opt_std_db for one in estimates) > 3.0 * estimates[-1].std_db


def test_step_of_20_db_is_followed_within_one_window_and_two_hops() -> None:
    dry = noise(60)
    middle = len(dry) // 2
    gain = np.where(np.arange(len(dry)) < middle, GAIN, 10.0 * GAIN)
    estimates = estimate(dry, gain * dry)
    settled = [one for one in estimates if one.available_frame >= middle + WINDOW + 2 * HOP]
    assert len(settled) > 10
    assert all(abs(one.gain_est_db - GAIN_DB - 20.0) < 0.1 for one in settled)


def test_dc_offset_does_not_change_the_gain() -> None:
    dry = noise(10)
    assert np.abs(errors_db(estimate(dry + 0.3, GAIN * dry - 0.2))).max() < 0.001


def test_fractional_delay_is_removed_and_reported() -> None:
    cycles = np.fft.rfftfreq(60 * HOP + WINDOW)
    spectrum = np.fft.rfft(noise(61)) * (cycles < 0.4)
    dry = np.fft.irfft(spectrum)
    target = GAIN * np.fft.irfft(spectrum * np.exp(-2j * np.pi * cycles * 2.4))
    windows = Windows(cut(dry)[:50], cut(np.roll(target, -2))[:50], np.zeros(50), np.zeros(50), np.full(50, math.nan))
    aligned = Estimator(settings()).estimate(windows, Alignment(2.4, 2))
    ignored = Estimator(settings()).estimate(windows, Alignment(2.0, 2))
    assert np.abs(errors_db(aligned[5:])).max() < 0.002
    assert {one.delay_frames for one in aligned} == {2.4}
    assert aligned[-1].opt_std_db < 0.1 * ignored[-1].opt_std_db
    assert min(one.std_db for one in aligned) >= SHIFTED_FLOOR_STD_DB, "limited by the accuracy of the shift"


# --- polarity ---------------------------------------------------------------------------------------


def rotated(dry: Signal, phase_deg: float) -> Signal:
    analytic = scipy.signal.hilbert(dry)
    return np.asarray((analytic * np.exp(1j * math.radians(phase_deg))).real)


@pytest.mark.parametrize(
    ("phase_deg", "polarity"), [(0, 1), (37, 1), (70, 1), (90, 0), (-90, 0), (110, -1), (143, -1), (180, -1)]
)
def test_polarity_is_determined_by_the_phase(phase_deg: float, polarity: int) -> None:
    dry = noise(30)
    estimates = estimate(dry, GAIN * rotated(dry, phase_deg))[5:]  # a Hilbert transform is not exact at its ends
    assert {one.polarity for one in estimates} == {polarity}
    assert np.abs(errors_db(estimates)).max() < 0.03


def test_polarity_changes_gradually_with_its_memory() -> None:
    dry = noise(60)
    half = len(dry) // 2
    target = GAIN * np.where(np.arange(len(dry)) < half, dry, -dry)
    polarities = [one.polarity for one in estimate(dry, target)]
    assert polarities[0] == 1
    assert polarities[-1] == -1
    assert sorted(polarities, reverse=True) == polarities
    # The running cosine is 2 · 0.9^n − 1: below 0.3 after 5 windows, below −0.3 after 10.
    assert 3 <= polarities.count(0) <= 8


@pytest.mark.parametrize("loss", ["spectral", "waveform"])
def test_inverted_target_has_an_equal_gain(loss: str) -> None:
    dry = noise(10)
    last = estimate(dry, -GAIN * dry, Estimator(settings(loss=loss)))[-1]
    assert last.gain_est_db == pytest.approx(GAIN_DB, abs=0.001)
    assert last.matched_gains == pytest.approx((-GAIN,), rel=1e-4)


# --- silence ----------------------------------------------------------------------------------------


def test_gain_is_unknown_before_any_signal() -> None:
    estimates = estimate(np.zeros(8192), np.zeros(8192))
    assert states(estimates) == {State.SILENT}
    for one in estimates:
        assert math.isnan(one.gain_est_db)
        assert math.isnan(one.gain_opt_db)
        assert math.isnan(one.loss)
        assert math.isinf(one.std_db)
        assert one.matched_gains == (1.0,)
        assert one.polarity == 0


@pytest.mark.parametrize("silent", ["dry", "target", "both"])
@pytest.mark.parametrize("loss", ["spectral", "waveform"])
def test_gain_is_held_through_silence_on_either_side(silent: str, loss: str) -> None:
    dry = noise(60)
    target = GAIN * dry
    pause = slice(20 * HOP, 44 * HOP)
    dry[pause] *= silent == "target"
    target[pause] *= silent == "dry"
    estimates = estimate(dry, target, Estimator(settings(loss=loss)))
    inside = estimates[20:40]  # windows 20 to 40 lie entirely in the pause
    assert states(inside) == {State.SILENT}
    assert len({one.gain_est_db for one in inside}) == 1
    assert abs(inside[0].gain_est_db - GAIN_DB) < 0.01
    assert all(math.isnan(one.gain_opt_db) for one in inside)
    assert all(math.isnan(one.loss) for one in inside)
    assert abs(estimates[-1].gain_est_db - GAIN_DB) < 0.01
    assert estimates[-1].state is State.TRACKING


@pytest.mark.parametrize(("rms", "silent"), [(2.0 * SILENCE_RMS, False), (0.5 * SILENCE_RMS, True)])
def test_silence_begins_160_db_below_full_scale(rms: float, silent: bool) -> None:
    sound = noise(6, rms=rms)
    estimates = estimate(sound, sound)
    assert (states(estimates) == {State.SILENT}) == silent
    assert math.isnan(estimates[-1].gain_est_db) == silent


def test_pure_dc_is_never_tracking() -> None:
    assert State.TRACKING not in states(estimate(np.full(4096, 0.25), np.full(4096, 0.1)))


@pytest.mark.parametrize("seed", range(10, 16))
def test_unrelated_signals_are_converging_then_incoherent(seed: int) -> None:
    estimates = estimate(noise(200, seed), noise(200, seed + 90))
    assert states(estimates) == {State.CONVERGING, State.INCOHERENT}
    first = next(index for index, one in enumerate(estimates) if one.state is State.INCOHERENT)
    assert first >= INCOHERENT_AFTER_S * RATE / HOP - 1


def test_slow_descent_is_converging_and_one_without_useful_gain_incoherent() -> None:
    tone = np.sin(0.3 * np.arange(119 * HOP + WINDOW))
    slow = settings(loss="waveform", optimizer="SGD", lr=0.01, steps=1)
    on_its_way = estimate(tone, GAIN * tone, Estimator(slow))
    assert on_its_way[0].loss > 1.0, "at a gain of one the error is several times the target"
    assert State.INCOHERENT not in states(on_its_way)
    quadrature = np.cos(0.3 * np.arange(len(tone)))
    assert State.INCOHERENT in states(estimate(tone, GAIN * quadrature, Estimator(slow)))


def test_delay_not_found_is_incoherent_and_unknown_delay_never_tracking() -> None:
    dry = noise(4)
    windows = windows_of(dry, GAIN * dry)
    not_found = Estimator(settings()).estimate(windows, Alignment(is_known=False, not_found=True))
    unknown = Estimator(settings()).estimate(windows, Alignment(is_known=False))
    assert states(not_found) == {State.INCOHERENT}
    assert states(unknown) == {State.CONVERGING}
    assert all(math.isnan(one.delay_frames) for one in not_found + unknown)
    assert {one.polarity for one in unknown} == {0}


def test_uncertain_estimate_is_converging() -> None:
    dry = noise(4)
    target = GAIN * dry + 2.0 * GAIN * noise(4, seed=9)
    for one in estimate(dry, target):
        assert one.state is not State.TRACKING or one.std_db <= TRACKING_STD_DB
    assert estimate(dry, target)[0].state is State.CONVERGING


# --- clipping ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["dry", "target"])
def test_clipped_windows_hold_the_gain(side: str) -> None:
    dry = noise(60)
    dry[25 * HOP : 25 * HOP + 3] = 0.9, 1.0, 0.9
    target = GAIN * dry
    clipping = dry if side == "dry" else target
    clipping[25 * HOP : 25 * HOP + 3] = 0.6 * clipping[25 * HOP + 1]
    estimates = estimate(dry, target, Estimator(settings(reject_clipped=True)))
    hit = [index for index, one in enumerate(estimates) if one.state is State.CLIPPED]
    assert hit == [22, 23, 24, 25]  # the windows that contain those frames
    assert {estimates[index].gain_est_db for index in hit} == {estimates[21].gain_est_db}
    assert estimates[-1].state is State.TRACKING


def test_clipping_is_not_rejected_if_the_target_is_made_from_the_dry_signal() -> None:
    dry = noise(20)
    target = np.clip(GAIN * dry, -0.01, 0.01)
    assert State.CLIPPED in states(estimate(dry, target, Estimator(settings(reject_clipped=True))))
    assert State.CLIPPED not in states(estimate(dry, target, Estimator(settings(reject_clipped=False))))


def test_batches_and_single_windows_are_clipped_alike() -> None:
    dry = noise(40)
    dry[: len(dry) // 2] *= 0.1
    limit = float(np.std(dry[len(dry) // 2 :]))
    windows = windows_of(dry, np.clip(dry, -limit, limit))
    batch, one_by_one = (Estimator(settings(reject_clipped=True)) for _ in range(2))
    single = [one_by_one.estimate(part(windows, index, index + 1))[0] for index in range(len(windows.dry))]
    clipped = [one.state is State.CLIPPED for one in batch.estimate(windows)]
    assert clipped == [one.state is State.CLIPPED for one in single]
    assert 0 < sum(clipped) < len(clipped)


# --- batches ----------------------------------------------------------------------------------------


def constant(dry: Signal) -> Signal:
    return GAIN * dry


def noisy(dry: Signal) -> Signal:
    return GAIN * dry + 0.003 * np.random.default_rng(8).standard_normal(len(dry))


def stepping(dry: Signal) -> Signal:
    return np.where(np.arange(len(dry)) // 5000 % 2, 10.0 * GAIN, GAIN) * dry


def pausing(dry: Signal) -> Signal:
    dry[4000:9000] = 0.0
    return GAIN * dry


def unrelated(dry: Signal) -> Signal:
    return noise(64, seed=99)[: len(dry)]


@pytest.mark.parametrize("make", [constant, noisy, stepping, pausing, unrelated])
@pytest.mark.parametrize(("loss", "optimizer"), [("spectral", "Rprop"), ("waveform", "Adagrad")])
def test_batch_equals_single_windows_within_tolerance(
    make: Callable[[Signal], Signal], loss: str, optimizer: str
) -> None:
    dry = noise(64)
    windows = windows_of(dry, make(dry))
    options = settings(loss=loss, optimizer=optimizer)
    single, batched, again = (Estimator(options) for _ in range(3))
    one_by_one = rows([one for hop in range(64) for one in single.estimate(part(windows, hop, hop + 1))])
    together = rows(batched.estimate(windows))
    np.testing.assert_array_equal(together, rows(again.estimate(windows)))
    exact = [ESTIMATE_FIELDS.index(name) for name in ("center_frame", "available_frame", "state", "polarity")]
    np.testing.assert_array_equal(together[:, exact], one_by_one[:, exact])
    gain, optimum = ESTIMATE_FIELDS.index("gain_est_db"), ESTIMATE_FIELDS.index("gain_opt_db")
    np.testing.assert_allclose(together[:, optimum], one_by_one[:, optimum], atol=1e-6)
    np.testing.assert_allclose(together[:, gain], one_by_one[:, gain], atol=SETTLED_LOG * DB_PER_NEPER)
    if make is constant:
        np.testing.assert_allclose(together[:, gain], one_by_one[:, gain], atol=0.0005)


def test_cross_spectrum_collects_windows_that_are_not_silent() -> None:
    dry = noise(20)
    dry[: 8 * HOP + WINDOW] = 0.0
    cross = CrossSpectrum()
    Estimator(settings()).estimate(windows_of(dry, GAIN * dry), cross=cross)
    assert cross.windows == 11
    assert cross.coherent_fraction == pytest.approx(1.0, abs=1e-4)


# --- lifecycle --------------------------------------------------------------------------------------


def test_frozen_estimate_holds_until_it_is_released() -> None:
    dry = noise(10)
    estimator = Estimator(settings())
    before = estimate(dry, GAIN * dry, estimator)[-1]
    estimator.frozen = True
    frozen = estimate(dry, 10.0 * GAIN * dry, estimator)
    assert {(one.gain_est_db, one.std_db, one.state) for one in frozen} == {
        (before.gain_est_db, before.std_db, before.state)
    }
    assert frozen[-1].gain_opt_db == pytest.approx(GAIN_DB + 20.0, abs=0.001)
    estimator.frozen = False
    assert estimate(dry, 10.0 * GAIN * dry, estimator)[-1].gain_est_db == pytest.approx(GAIN_DB + 20.0, abs=0.001)


def test_estimator_frozen_from_the_start_is_waiting() -> None:
    estimator = Estimator(settings())
    estimator.frozen = True
    dry = noise(3)
    estimates = estimate(dry, GAIN * dry, estimator)
    assert states(estimates) == {State.WAITING}
    assert all(math.isnan(one.gain_est_db) for one in estimates)


def test_reset_clears_gain_polarity_and_state() -> None:
    dry = noise(10)
    estimator = Estimator(settings())
    estimate(dry, -GAIN * dry, estimator)
    estimator.reset(-6.0)
    assert estimator.polarity == 0
    assert estimator.tracker.gain_db == -6.0
    assert math.isinf(estimator.tracker.std_db)
    estimator.frozen = True
    assert estimate(dry, GAIN * dry, estimator)[-1].state is State.WAITING


def test_estimator_resumes_from_the_last_estimate_of_another() -> None:
    dry = noise(40)
    last = estimate(dry, -noisy(dry))[-1]
    other = Estimator(settings())
    other.resume(last)
    silence = np.zeros(WINDOW)
    one = estimate(silence, silence, other)[0]
    assert (one.gain_est_db, one.std_db, one.polarity) == (last.gain_est_db, last.std_db, -1)
    assert one.state is State.SILENT


def test_unknown_gain_is_not_resumed() -> None:
    silence = np.zeros(WINDOW)
    last = estimate(silence, silence)[0]
    other = Estimator(settings())
    other.resume(last)
    dry = noise(4)
    assert estimate(dry, GAIN * dry, other)[-1].gain_est_db == pytest.approx(GAIN_DB, abs=0.001)


def test_warm_up_changes_nothing() -> None:
    warm, cold = Estimator(settings()), Estimator(settings())
    warm.warm_up()
    dry = noise(5)
    np.testing.assert_array_equal(rows(estimate(dry, noisy(dry), warm)), rows(estimate(dry, noisy(dry), cold)))


def test_settings_may_be_replaced_between_windows() -> None:
    dry = noise(10)
    estimator = Estimator(settings(optimizer="SGD"))
    estimate(dry, GAIN * dry, estimator)
    estimator.settings = settings(optimizer="Rprop", loss="waveform")
    assert abs(errors_db(estimate(dry, GAIN * dry, estimator))[-1]) < 0.001


def test_default_schedule_is_the_optimizers() -> None:
    assert settings(optimizer="Adam").schedule == DEFAULT_SCHEDULES["Adam"]
    schedule = settings(optimizer="Adam", lr=0.5, steps=7).schedule
    assert (schedule.lr, schedule.steps) == (0.5, 7)


# --- closed forms and bounds ------------------------------------------------------------------------


@pytest.mark.parametrize(("noise_std", "gain"), [(0.001, 0.15), (0.01, 1.0), (0.0003, 0.02)])
def test_bound_is_the_cramer_rao_formula_in_white_noise(noise_std: float, gain: float) -> None:
    """8.69·σ/(g‖x‖) with the true σ, and ‖x‖ of each window: the estimator has to find σ in the remainder."""
    dry = noise(100)
    target = gain * dry + noise_std * np.random.default_rng(5).standard_normal(len(dry))
    bounds_db = np.array([one.bound_db for one in estimate(dry, target)])
    norms = np.linalg.norm(cut(dry).astype(np.float64), axis=-1)
    expected_db = 20.0 / math.log(10.0) * noise_std / (gain * norms)
    assert np.mean(bounds_db / expected_db) == pytest.approx(1.0, abs=0.02)
    assert np.std(bounds_db / expected_db) < 0.1


def test_least_squares_is_that_of_the_compared_magnitudes() -> None:
    dry = noise(20)
    target = GAIN * dry + 1e-4 * np.random.default_rng(5).standard_normal(len(dry))
    found_db = [one.least_squares_db for one in estimate(dry, target)]
    hann = np.hanning(WINDOW + 1)[:-1]
    x, y = (np.abs(np.fft.rfft(cut(signal)[:, 0] * hann))[:, 2:-2] for signal in (dry, target))
    expected_db = 20.0 * np.log10((x * y).sum(-1) / (x * x).sum(-1))
    np.testing.assert_allclose(found_db, expected_db, atol=2e-3)  # the estimator subtracts the noise's share


@pytest.mark.parametrize("loss", LOSSES)
def test_least_squares_of_every_loss_is_the_gain_without_noise(loss: str) -> None:
    dry = noise(10)
    estimates = estimate(dry, -GAIN * dry, Estimator(settings(loss=loss)))
    np.testing.assert_allclose([one.least_squares_db for one in estimates], GAIN_DB, atol=1e-3)


def test_silence_has_neither_least_squares_nor_bound() -> None:
    silent = estimate(np.zeros(WINDOW), np.zeros(WINDOW))[0]
    assert math.isnan(silent.least_squares_db)
    assert math.isnan(silent.bound_db)


# --- stock optimizer --------------------------------------------------------------------------------


def test_stock_optimizer_never_settles_and_safeguarded_one_does() -> None:
    """SGD's last steps are as long as its first: it oscillates within one of them (0.1 Np, 0.87 dB)."""
    dry = noise(40)
    stock = estimate(dry, GAIN * dry, Estimator(settings(optimizer="SGD", lr=0.1, stock_optimizer=True)))
    safeguarded = estimate(dry, GAIN * dry, Estimator(settings(optimizer="SGD", lr=0.1)))
    off_db = np.abs(errors_db(stock)[20:])
    assert 0.1 < off_db.max() < 0.87
    assert np.abs(errors_db(safeguarded)[20:]).max() < 0.002
    assert {one.steps for one in stock} == {24}


def test_stock_optimizer_continues_from_window_to_window() -> None:
    dry = noise(12)
    windows = windows_of(dry, GAIN * dry)
    single, together = (Estimator(settings(optimizer="SGD", lr=0.01, stock_optimizer=True)) for _ in range(2))
    one_by_one = [one for hop in range(12) for one in single.estimate(part(windows, hop, hop + 1))]
    np.testing.assert_array_equal(rows(together.estimate(windows)), rows(one_by_one))
    log_gain = 0.0  # 24 steps per window down |exp(θ)/G − 1|, whose slope above G is exp(θ)/G
    for one in one_by_one[:2]:
        for _ in range(24):
            log_gain -= 0.01 * math.exp(log_gain) / GAIN
        assert one.gain_est_db == pytest.approx(DB_PER_NEPER * log_gain, abs=0.01)
