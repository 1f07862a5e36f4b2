"""Reference path: its output compared with the formulas that define it."""

import math

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray

from rtgain.audio.effects.delay_line import MAX_ORDER, thiran
from rtgain.audio.effects.noise import splitmix64
from rtgain.audio.effects.reference_path import PARAMETERS, ReferencePath

RATE = 48000


class MonoPath(ReferencePath):
    """Reference path of one channel; its signals have the shape (frames,)."""

    def process(self, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        dry, target, gain = super().process(x[None])
        return dry[0], target[0], gain


def make_path(sample_rate: int = RATE, seed: int = 0, **values: float) -> MonoPath:
    path = MonoPath(seed=seed)
    path.prepare(sample_rate)
    path.set(**values)
    return path


def white(frames: int, seed: int = 1) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(seed).standard_normal(frames)).astype(np.float32)


def sine(hz: float, frames: int, sample_rate: int = RATE) -> NDArray[np.float32]:
    return np.sin(2 * np.pi * hz / sample_rate * np.arange(frames)).astype(np.float32)


def response(path: MonoPath, sample_rate: int, lowest_hz: float = 20.0) -> tuple[NDArray[np.float64], ...]:
    """Return frequencies from 20 Hz to 20 Hz below Nyquist, and the spectra of dry and target for an impulse."""
    impulse = np.zeros(2**18, np.float32)
    impulse[0] = 1.0
    dry, target, _ = path.process(impulse)
    hz = np.fft.rfftfreq(len(impulse), 1 / sample_rate)
    band = (hz >= lowest_hz) & (hz <= sample_rate / 2 - lowest_hz)
    return hz[band], np.fft.rfft(dry)[band], np.fft.rfft(target)[band]


def largest_step(x: NDArray[np.float32]) -> float:
    return float(np.max(np.abs(np.diff(x.astype(np.float64)))))


# Gain


def test_target_is_gain_times_dry_rounded_once() -> None:
    x = white(1000)
    dry, target, gain = make_path(gain_db=-6.0).process(x)
    linear = 10 ** (-6 / 20)
    np.testing.assert_array_equal(dry, x)
    np.testing.assert_array_equal(target, (linear * x.astype(np.float64)).astype(np.float32))
    np.testing.assert_array_equal(gain, np.float32(linear))


def test_default_gain_is_that_of_the_lessons() -> None:
    _, target, _ = make_path().process(np.ones(1, np.float32))
    assert target[0] == pytest.approx(0.15, rel=1e-6)


def test_a_new_gain_is_reached_in_a_straight_line_of_ten_milliseconds() -> None:
    path = make_path(gain_db=0.0)
    ones = np.ones(100, np.float32)
    assert np.all(path.process(ones)[1] == 1.0)
    path.set(gain_db=20 * math.log10(0.5))
    target = np.concatenate([path.process(ones)[1] for _ in range(6)])
    line = 1.0 - 0.5 * np.arange(1, 481) / 480
    np.testing.assert_allclose(target[:480], line, atol=1e-7)
    np.testing.assert_array_equal(target[480:], np.float32(0.5))


def test_gain_changed_during_a_ramp_continues_from_its_current_value() -> None:
    path = make_path(gain_db=0.0)
    ones = np.ones(240, np.float32)
    path.process(ones)
    path.set(gain_db=-120.0)
    first = path.process(ones)[1]
    path.set(gain_db=0.0)
    second = path.process(np.ones(480, np.float32))[1]
    assert first[-1] == pytest.approx(0.5, abs=1e-5)
    np.testing.assert_allclose(second, first[-1] + (1 - first[-1]) * np.arange(1, 481) / 480, atol=1e-6)


def test_a_polarity_flip_passes_through_zero() -> None:
    path = make_path(gain_db=0.0)
    ones = np.ones(480, np.float32)
    path.process(ones)
    path.set(polarity=-1)
    _, target, gain = path.process(ones)
    np.testing.assert_allclose(target, 1 - np.arange(1, 481) / 240, atol=1e-7)
    np.testing.assert_array_equal(gain, np.abs(target))


# Automation


def test_automation_is_linear_in_db_and_steps_at_exactly_its_frame() -> None:
    path = make_path()
    path.set_automation(np.array([100, 200, 200, 300]), np.array([0.0, -6.0, -20.0, -20.0]))
    gain_db = 20 * np.log10(path.process(np.ones(400, np.float32))[2])
    np.testing.assert_allclose(gain_db[:101], 0.0, atol=1e-5)
    np.testing.assert_allclose(gain_db[100:200], -6.0 * np.arange(100) / 100, atol=1e-5)
    np.testing.assert_allclose(gain_db[200:], -20.0, atol=1e-5)


def test_polarity_applies_to_automation() -> None:
    path = make_path(polarity=-1)
    path.set_automation(np.array([0]), np.array([-20.0]))
    np.testing.assert_allclose(path.process(np.ones(10, np.float32))[1], -0.1, rtol=1e-6)


def test_automation_ramps_at_its_start_and_end() -> None:
    path = make_path(gain_db=0.0)
    ones = np.ones(480, np.float32)
    path.process(ones)
    path.set_automation(np.array([0]), np.array([-20.0]))
    np.testing.assert_allclose(path.process(ones)[1], 1 - 0.9 * np.arange(1, 481) / 480, atol=1e-6)
    path.set_automation(None)
    np.testing.assert_allclose(path.process(ones)[1], 0.1 + 0.9 * np.arange(1, 481) / 480, atol=1e-6)


@pytest.mark.parametrize(
    ("frames", "gain_db", "message"),
    [([], [], "0 frames"), ([0, 1], [0.0], "2 frames and 1 gains"), ([1, 0], [0.0, 0.0], "backwards")],
)
def test_invalid_automation_is_rejected(frames: list[int], gain_db: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_path().set_automation(np.array(frames, np.int64), np.array(gain_db))


# Phase


@pytest.mark.parametrize("sample_rate", [44100, 48000, 96000, 192000])
@pytest.mark.parametrize("phase_deg", [37.0, 90.0, 180.0, -90.0])
def test_phase_is_exact_and_magnitude_untouched_from_20_hz_up(sample_rate: int, phase_deg: float) -> None:
    _, dry, target = response(make_path(sample_rate, gain_db=0.0, phase_deg=phase_deg), sample_rate)
    angle_deg = np.angle(target / dry * np.exp(-1j * np.radians(phase_deg)), deg=True)
    assert np.max(np.abs(angle_deg)) < 0.05
    assert np.max(np.abs(20 * np.log10(np.abs(target)))) < 0.01
    assert np.max(np.abs(20 * np.log10(np.abs(dry)))) < 0.001


def test_plus_90_degrees_change_a_sine_into_a_cosine() -> None:
    dry, target, _ = make_path(gain_db=0.0, phase_deg=90.0).process(sine(1000.0, RATE))
    second = slice(RATE // 2, None)
    carrier = np.exp(2j * np.pi * 1000 / RATE * np.arange(RATE))[second]
    dry_phasor, target_phasor = dry[second] @ carrier.conj(), target[second] @ carrier.conj()
    np.testing.assert_allclose(target_phasor / dry_phasor, 1j, atol=1e-3)


def test_zero_phase_is_the_input_bit_for_bit() -> None:
    path = make_path(gain_db=0.0, phase_deg=0.0)
    x = white(5000)
    dry, target, _ = path.process(x)
    np.testing.assert_array_equal(dry, x)
    np.testing.assert_array_equal(target, x)


def test_phase_back_at_zero_is_the_input_bit_for_bit() -> None:
    path = make_path(gain_db=0.0, phase_deg=90.0)
    path.process(white(5000))
    path.set(phase_deg=0.0)
    path.process(white(960))
    x = white(1000, seed=2)
    dry, target, _ = path.process(x)
    np.testing.assert_array_equal(dry, x)
    np.testing.assert_array_equal(target, x)


# Delay


@pytest.mark.parametrize("delay_frames", [0, 1, 7, 480, RATE])
def test_integer_delay_is_a_copy(delay_frames: int) -> None:
    x = white(RATE + 2000)
    target = make_path(gain_db=0.0, delay_ms=1000 * delay_frames / RATE).process(x)[1]
    np.testing.assert_array_equal(target, np.concatenate([np.zeros(delay_frames, np.float32), x])[: len(x)])


@pytest.mark.parametrize("delay_frames", [8.25, 20.5, 240.1, 4800.7, RATE - 0.5])
def test_a_fractional_delay_is_right_to_a_hundredth_of_a_frame(delay_frames: float) -> None:
    hz, _, target = response(make_path(gain_db=0.0, delay_ms=1000 * delay_frames / RATE), RATE)
    error = np.angle(target * np.exp(2j * np.pi * hz / RATE * delay_frames)) / (2 * np.pi * hz / RATE)
    assert np.max(np.abs(error[hz < 0.6 * RATE / 2])) < 0.01
    assert np.max(np.abs(20 * np.log10(np.abs(target)))) < 0.001


@pytest.mark.parametrize(("delay_frames", "up_to_hz"), [(0.05, 4000), (0.4, 4000), (1.5, 6000), (3.3, 8000)])
def test_a_delay_of_a_few_frames_is_right_for_the_bass_and_middle(delay_frames: float, up_to_hz: int) -> None:
    hz, _, target = response(make_path(gain_db=0.0, delay_ms=1000 * delay_frames / RATE), RATE)
    error = np.angle(target * np.exp(2j * np.pi * hz / RATE * delay_frames)) / (2 * np.pi * hz / RATE)
    assert np.max(np.abs(error[hz < up_to_hz])) < 0.02
    assert np.max(np.abs(20 * np.log10(np.abs(target)))) < 0.001


def test_thiran_of_order_one_is_the_textbook_all_pass() -> None:
    a = np.ones(MAX_ORDER + 1)
    thiran(1, 1.3, a)
    np.testing.assert_allclose(a, [1, (1 - 1.3) / (1 + 1.3)] + [0] * (MAX_ORDER - 1), atol=1e-15)


@pytest.mark.parametrize("order", range(1, MAX_ORDER + 1))
@pytest.mark.parametrize("fraction", [-0.5, -0.1, 0.3, 0.5])
def test_every_thiran_filter_is_stable(order: int, fraction: float) -> None:
    a = np.zeros(MAX_ORDER + 1)
    thiran(order, order + fraction, a)
    assert np.max(np.abs(np.roots(a[: order + 1]))) < 1.0


# Noise


def test_noise_has_the_set_level_and_is_gaussian_and_white() -> None:
    frames = 2**18
    target = make_path(noise_dbfs=-20.0).process(np.zeros(frames, np.float32))[1].astype(np.float64)
    assert 20 * math.log10(np.sqrt(np.mean(target**2))) == pytest.approx(-20.0, abs=0.05)
    assert scipy.stats.kstest(target / 0.1, "norm").pvalue > 0.001
    correlation = np.fft.irfft(np.abs(np.fft.rfft(target)) ** 2)
    assert np.max(np.abs(correlation[1 : frames // 2])) / correlation[0] < 6 / math.sqrt(frames)


def test_noise_depends_on_the_seed_and_on_nothing_else() -> None:
    silence = np.zeros(1000, np.float32)
    one, again, other = (make_path(seed=seed, noise_dbfs=-20.0).process(silence)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.15


def test_the_hash_is_splitmix64() -> None:
    """First outputs of Vigna's splitmix64.c for the seeds 0 and 1234567."""
    assert splitmix64(np.uint64(0)) == 0xE220A8397B1DCDAF
    assert splitmix64(np.uint64(1234567)) == 6457827717110365317


# Plug-in interface


@pytest.mark.parametrize(
    "change", [{"gain_db": 0.0}, {"polarity": -1}, {"phase_deg": 180.0}, {"phase_deg": 37.0}, {"delay_ms": 3.333}]
)
def test_no_change_clicks(change: dict[str, float]) -> None:
    """A 100 Hz sine changes by at most 0.0131 per frame; a fade of 10 ms over twice its amplitude adds 0.0042."""
    path = make_path(gain_db=-6.0)
    x = sine(100.0, 2 * RATE)
    parts = [path.process(x[:RATE])]
    path.set(**change)
    parts.append(path.process(x[RATE : RATE + 3000]))
    path.set(**{name: PARAMETERS[name].default for name in change})
    parts.append(path.process(x[RATE + 3000 :]))
    dry, target = (np.concatenate([part[row] for part in parts]) for row in (0, 1))
    assert largest_step(target) < 0.0131 + 0.0042
    assert largest_step(dry) < 0.0131 + 0.0042


def test_reset_restarts_and_preserves_the_parameters() -> None:
    path = make_path(gain_db=-3.0, phase_deg=37.0, delay_ms=1.23, noise_dbfs=-40.0)
    x = white(3000)
    first = path.process(x)
    path.reset()
    for one, again in zip(first, path.process(x), strict=True):
        np.testing.assert_array_equal(one, again)
    assert path.values["phase_deg"] == 37.0


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_keeps_its_range(name: str) -> None:
    parameter, path = PARAMETERS[name], make_path()
    assert parameter.minimum <= parameter.default <= parameter.maximum
    assert path.values[name] == parameter.default
    path.set(**{name: parameter.minimum})
    path.set(**{name: parameter.maximum})
    for outside in (parameter.maximum + 1, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"{name} must be"):
            path.set(**{name: outside})
    assert path.values[name] == parameter.maximum


def test_a_wrong_parameter_changes_nothing() -> None:
    path = make_path(gain_db=-1.0)
    with pytest.raises(ValueError, match="'volume' is not one of gain_db"):
        path.set(gain_db=0.0, volume=1.0)
    with pytest.raises(ValueError, match="polarity must be 1 or -1, not 0"):
        path.set(gain_db=0.0, polarity=0)
    assert path.values["gain_db"] == -1.0
