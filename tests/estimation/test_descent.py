"""Descents against the closed form: every optimizer, near and far starts, with and without noise."""

import functools

import numpy as np
import pytest
import torch
from torch import Tensor

from rtgain.config.estimator_settings import DEFAULT_SCHEDULES, StepSchedule
from rtgain.config.names import OPTIMIZERS
from rtgain.dsp.loss_registry import LOSS_FACTORIES
from rtgain.dsp.losses import FeatureLoss
from rtgain.dsp.noise_estimation import NoiseEstimate
from rtgain.dsp.processors import DB_PER_NEPER, MAX_LOG_GAIN
from rtgain.estimation.descent import (
    MAX_STEP_LOG,
    SETTLED_LOG,
    TOLERANCE_LOG,
    TOLERANCE_SHARE,
    Descent,
    descend,
    polyak_step,
)

WINDOWS, BINS = 4, 1025
SETTLED_DB = SETTLED_LOG * DB_PER_NEPER
FAR_DB = (-40.0, -20.0, -5.0, 0.0, 5.0, 20.0, 40.0)
EVERY_LOSS = pytest.mark.parametrize("name", ["waveform", "spectral"])
EVERY_OPTIMIZER = pytest.mark.parametrize("optimizer", DEFAULT_SCHEDULES)


class Problem:
    """Features like those of noise and of a scaled copy in other noise, with their closed-form gain and its loss."""

    def __init__(self, name: str, snr_db: float, *, noise_is_known: bool = True, level: float = 1.0) -> None:
        self.loss: FeatureLoss = LOSS_FACTORIES[name]()
        rng = np.random.default_rng(1)
        x, noise = rng.standard_normal((2, WINDOWS, BINS)) + 1j * rng.standard_normal((2, WINDOWS, BINS))
        y = x + 10.0 ** (-snr_db / 20.0) * noise
        component = np.real if self.loss.sees_phase else np.abs
        self.dry, self.target = (torch.from_numpy(level * component(z)).float() for z in (x, y))
        self.optimum = self.loss.optimum(self.dry, self.target)
        self.optimum_loss = self.loss.distance(self.optimum.unsqueeze(-1) * self.dry, self.target)
        ones = torch.ones(WINDOWS)
        expected = self.optimum_loss if noise_is_known else torch.zeros(WINDOWS)
        self.noise_estimate = NoiseEstimate(
            torch.ones(WINDOWS, BINS), ones, ones[:, None], ones, ones[:, None], torch.zeros(WINDOWS, BINS), expected
        )

    def descend(self, start_log: Tensor, optimizer: str = "Rprop", schedule: StepSchedule | None = None) -> Descent:
        schedule = schedule or DEFAULT_SCHEDULES[optimizer]
        return descend(
            *(self.loss, self.dry, self.target, None, self.noise_estimate, start_log, self.optimum.log()),
            optimizer=optimizer,
            schedule=schedule,
        )

    def descend_from(self, start_db: float, optimizer: str = "Rprop", schedule: StepSchedule | None = None) -> Descent:
        return self.descend(torch.full((WINDOWS,), start_db / DB_PER_NEPER), optimizer, schedule)

    def error_db(self, descent: Descent) -> Tensor:
        return DB_PER_NEPER * (descent.log_gain - self.optimum.log()).abs()

    @property
    def tolerance_db(self) -> Tensor:
        """Step length at which a descent ends."""
        return DB_PER_NEPER * (TOLERANCE_SHARE * self.noise_estimate.noise_floor_loss).clamp_min(TOLERANCE_LOG)


@functools.cache
def problem(name: str, snr_db: float, *, noise_is_known: bool = True, level: float = 1.0) -> Problem:
    return Problem(name, snr_db, noise_is_known=noise_is_known, level=level)


def test_every_optimizer_of_the_command_line_has_a_schedule() -> None:
    assert set(DEFAULT_SCHEDULES) == set(OPTIMIZERS)
    assert all(hasattr(torch.optim, optimizer) for optimizer in DEFAULT_SCHEDULES)


# --- results ----------------------------------------------------------------------------------------


@EVERY_LOSS
@pytest.mark.parametrize("start_db", FAR_DB)
def test_rprop_reaches_the_closed_form_from_any_start(name: str, start_db: float) -> None:
    clean = problem(name, 60.0)
    descent = clean.descend_from(start_db)
    nearly_out_of_steps = name == "waveform" and abs(start_db) >= 40.0  # few steps remain for the last bit
    assert float(clean.error_db(descent).max()) < (0.002 if nearly_out_of_steps else 0.0005)
    assert bool(descent.settled.all())


@EVERY_LOSS
@pytest.mark.parametrize("snr_db", [10.0, 20.0, 30.0])
@pytest.mark.parametrize("start_db", FAR_DB)
def test_rprop_in_noise_settles_from_any_start(name: str, snr_db: float, start_db: float) -> None:
    noisy = problem(name, snr_db)
    descent = noisy.descend_from(start_db)
    within = noisy.error_db(descent) <= torch.maximum(3.0 * noisy.tolerance_db, torch.tensor(SETTLED_DB))
    assert bool(within.all())
    assert float(descent.settled.float().mean()) >= 0.5


@EVERY_LOSS
@EVERY_OPTIMIZER
@pytest.mark.parametrize(("snr_db", "noise_is_known"), [(40.0, True), (20.0, True), (20.0, False), (10.0, True)])
def test_settled_descent_is_at_the_closed_form(name: str, optimizer: str, snr_db: float, noise_is_known: bool) -> None:
    task = problem(name, snr_db, noise_is_known=noise_is_known)
    allowed_db = torch.maximum(20.0 * task.tolerance_db, torch.tensor(SETTLED_DB + 0.005))
    for start_db in (-40.0, -5.0, 0.0, 40.0):
        descent = task.descend_from(start_db, optimizer)
        assert bool(((task.error_db(descent) <= allowed_db) | ~descent.settled).all())


@EVERY_OPTIMIZER
@pytest.mark.parametrize("start_db", [-20.0, 20.0])
def test_every_optimizer_settles_hop_by_hop(optimizer: str, start_db: float) -> None:
    # Each descent starts from the result of the one before, as in the estimator.
    task = problem("spectral", 40.0)
    descent = task.descend_from(start_db, optimizer)
    for _ in range(20):
        descent = task.descend(descent.log_gain, optimizer)
    assert float(task.error_db(descent).max()) < 0.08
    assert bool(descent.settled.all())


@EVERY_LOSS
@pytest.mark.parametrize("optimizer", ["SGD", "ASGD", "Adagrad", "RMSprop", "Adadelta"])
@pytest.mark.parametrize("snr_db", [10.0, 20.0])
def test_no_descent_ends_in_a_limit_cycle(name: str, snr_db: float, optimizer: str) -> None:
    task = problem(name, snr_db, noise_is_known=False)  # so that only the decaying learning rate ends it
    descent = task.descend(task.optimum.log(), optimizer)
    for _ in range(3):
        before = descent.log_gain
        descent = task.descend(before, optimizer)
        moved_db = DB_PER_NEPER * (descent.log_gain - before).abs()
        assert float(moved_db.max()) < 0.015


@EVERY_LOSS
@pytest.mark.parametrize("snr_db", [20.0, 60.0])
def test_rprop_stays_at_the_optimum(name: str, snr_db: float) -> None:
    task = problem(name, snr_db)
    descent = task.descend_from(3.0)
    for _ in range(2):
        again = task.descend(descent.log_gain)
        moved_db = DB_PER_NEPER * (again.log_gain - descent.log_gain).abs()
        assert bool((moved_db <= 3.0 * task.tolerance_db).all())
        descent = again


@pytest.mark.parametrize("optimizer", ["SGD", "ASGD", "RAdam"])
def test_short_steps_far_below_the_optimum_do_not_end_the_descent(optimizer: str) -> None:
    # The slope on log gain is as small as the gain: at −40 dB a step along it is shorter than the tolerance.
    noisy = problem("spectral", 10.0)
    descent = noisy.descend_from(-40.0, optimizer)
    assert not bool(descent.settled.any())
    assert int(descent.steps.min()) > 10


# --- steps ------------------------------------------------------------------------------------------


def test_start_at_the_optimum_takes_one_step_and_in_noise_a_few() -> None:
    exact = Problem("spectral", np.inf)
    descent = exact.descend_from(0.0)
    assert int(descent.steps.max()) == 1
    assert bool(descent.settled.all())
    for snr_db in (20.0, 40.0):
        noisy = problem("spectral", snr_db)
        near = noisy.optimum.log() + 0.2 * TOLERANCE_SHARE * noisy.noise_estimate.noise_floor_loss
        assert int(noisy.descend(near).steps.max()) <= 8


def test_one_step_of_rprop_reaches_the_optimum_without_noise() -> None:
    exact = Problem("spectral", np.inf)
    for start_db in FAR_DB[:3]:
        once = exact.descend_from(start_db, schedule=StepSchedule(0.3, 1))
        expected_db = max(0.0, abs(start_db) - MAX_STEP_LOG * DB_PER_NEPER)
        assert float(exact.error_db(once).max()) == pytest.approx(expected_db, abs=1e-3)


@EVERY_OPTIMIZER
@pytest.mark.parametrize("limit", [1, 3, 10])
def test_number_of_steps_is_limited(optimizer: str, limit: int) -> None:
    descent = problem("spectral", 20.0).descend_from(
        -40.0, optimizer, StepSchedule(DEFAULT_SCHEDULES[optimizer].lr, limit)
    )
    assert int(descent.steps.max()) <= limit
    if limit == 1:
        assert not bool(descent.settled.any())


@EVERY_OPTIMIZER
@pytest.mark.parametrize("lr_factor", [1.0, 1e4])
def test_steps_are_limited_to_26_db_and_gains_to_120_db(optimizer: str, lr_factor: float) -> None:
    task = problem("spectral", 20.0)
    schedule = StepSchedule(lr_factor * DEFAULT_SCHEDULES[optimizer].lr, 1)
    for start_db in (-120.0, 0.0, 40.0, 120.0):
        descent = task.descend_from(start_db, optimizer, schedule)
        assert float((descent.log_gain - start_db / DB_PER_NEPER).abs().max()) <= MAX_STEP_LOG + 1e-5
        assert float(descent.log_gain.abs().max()) <= MAX_LOG_GAIN + 1e-5


@EVERY_LOSS
@pytest.mark.parametrize("level_db", [-80.0, -60.0, 20.0])
def test_descent_is_independent_of_level(name: str, level_db: float) -> None:
    usual, quiet = problem(name, 20.0), problem(name, 20.0, level=10.0 ** (level_db / 20.0))
    for optimizer in ("Rprop", "Adam", "SGD"):
        one, other = usual.descend_from(-16.5, optimizer), quiet.descend_from(-16.5, optimizer)
        # Up to rounding: one step more or less, and the last ones are about 1e-4.
        torch.testing.assert_close(one.log_gain, other.log_gain, rtol=0.0, atol=5e-4)
        torch.testing.assert_close(one.loss, other.loss, rtol=1e-3, atol=0.0)


@EVERY_LOSS
def test_power_of_two_in_level_changes_no_bit(name: str) -> None:
    usual, quiet = problem(name, 20.0), problem(name, 20.0, level=2.0**-12)
    for optimizer in DEFAULT_SCHEDULES:
        one, other = usual.descend_from(-16.5, optimizer), quiet.descend_from(-16.5, optimizer)
        assert torch.equal(one.log_gain, other.log_gain)
        assert torch.equal(one.loss, other.loss)
        assert torch.equal(one.steps, other.steps)


def test_reported_loss_is_that_before_the_last_step() -> None:
    task = problem("spectral", 20.0)
    descent = task.descend_from(-5.0)
    torch.testing.assert_close(descent.loss, task.optimum_loss, rtol=1e-3, atol=0.0)
    first = task.descend_from(-5.0, schedule=StepSchedule(0.3, 1))
    start = task.loss.distance(10.0 ** (-5.0 / 20.0) * task.dry, task.target)
    torch.testing.assert_close(first.loss, start, rtol=1e-6, atol=0.0)


def test_weights_decide_between_disagreeing_bins() -> None:
    weights = torch.ones(1, 100)
    weights[:, 60:] = 100.0
    dry, target = torch.ones(1, 100), torch.full((1, 100), 0.5)
    target[:, 60:] = 0.25
    zero, one = torch.zeros(1), torch.ones(1)
    noise_estimate = NoiseEstimate(weights, one, one[:, None], one, one[:, None], torch.zeros(1, 100), zero)
    for counted, expected in ((weights, 0.25), (None, 0.5)):
        descent = descend(
            *(LOSS_FACTORIES["spectral"](), dry, target, counted, noise_estimate, zero, zero),
            optimizer="Rprop",
            schedule=DEFAULT_SCHEDULES["Rprop"],
        )
        assert float(descent.log_gain.exp()) == pytest.approx(expected, rel=1e-4)


@EVERY_LOSS
@EVERY_OPTIMIZER
@pytest.mark.parametrize(("dry", "target"), [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0)])
def test_silence_gives_no_nan(name: str, optimizer: str, dry: float, target: float) -> None:
    task = Problem(name, 20.0)
    task.dry, task.target = dry * task.dry, target * task.target
    descent = task.descend_from(-9.5, optimizer)
    assert bool(descent.log_gain.isfinite().all())
    assert bool(descent.loss.isfinite().all())
    if dry == 0.0 and optimizer != "AdamW":  # whose weights decay toward 0 dB
        np.testing.assert_allclose(descent.log_gain.numpy(), -9.5 / DB_PER_NEPER, atol=1e-4)


def test_windows_of_a_descent_are_its_columns() -> None:
    descent = problem("spectral", 20.0).descend_from(-5.0)
    for index, one in enumerate(descent.windows):
        columns = descent.log_gain, descent.loss, descent.settled, descent.steps
        assert one == tuple(column[index].item() for column in columns)
    assert len(descent.windows) == WINDOWS


# --- Polyak's step ----------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("gain_db", [-20.0, -1.0, 3.0, 20.0])
def test_polyak_step_is_the_distance_to_a_scaled_copy(power: float, gain_db: float) -> None:
    # For a copy at gain g the loss is |g^p − 1|, and its slope on log gain ±p g^p.
    ratio = 10.0 ** (power * gain_db / 20.0)
    excess = torch.tensor([abs(ratio - 1.0)], dtype=torch.float64)
    slope = torch.tensor([np.copysign(power * ratio, ratio - 1.0)], dtype=torch.float64)
    reach = polyak_step(excess, slope, power)
    assert DB_PER_NEPER * reach.item() == pytest.approx(min(abs(gain_db), MAX_STEP_LOG * DB_PER_NEPER), rel=1e-9)


def test_polyak_step_is_0_without_excess_and_limited_without_slope() -> None:
    none, some = torch.tensor([0.0]), torch.tensor([0.5])
    assert polyak_step(none, some, 1.0).item() == 0.0
    assert polyak_step(some, none, 1.0).item() == 0.0
    assert polyak_step(some, torch.tensor([-1e-9]), 1.0).item() == MAX_STEP_LOG
    assert polyak_step(some, torch.tensor([1e-9]), 1.0).item() == MAX_STEP_LOG
