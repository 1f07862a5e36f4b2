"""Estimates of several channels: one gain, and each channel's own gain, polarity and delay."""

import functools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from rtgain.audio.engine.audio_ring import AudioRing, audio_rows
from rtgain.audio.engine.ring_buffer import RingBuffer
from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.config.names import LOSSES
from rtgain.estimation.estimator import INCOHERENT_AFTER_S, TRACKING_STD_DB, Estimator
from rtgain.estimation.signal_reader import RingSignalReader
from rtgain.estimation.streaming import StreamingEstimator
from rtgain.records.estimate import Estimate, State

RATE, WINDOW, HOP = 16_000, 1024, 256
GAIN_DB = -6.0
GAIN = 10.0 ** (GAIN_DB / 20.0)
SECONDS = 4

Signal = NDArray[np.float64]


@functools.cache
def pink(seed: int, seconds: float = SECONDS) -> Signal:
    """Make pink noise that swells and fades, as music does, at its own times."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * RATE)
    spectrum = np.fft.rfft(rng.standard_normal(frames))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0.0
    sound = np.fft.irfft(spectrum, frames)
    swell = 1.0 + 0.8 * np.sin(2.0 * np.pi * (np.arange(frames) / RATE / rng.uniform(0.7, 1.3) + rng.uniform()))
    return np.asarray(0.1 * swell * sound / sound.std())


def stereo(seconds: float = SECONDS) -> Signal:
    """Two decorrelated channels."""
    return np.stack([pink(1, seconds), pink(2, seconds)])


def noise(signal: Signal, snr_db: float, seed: int = 9) -> Signal:
    """Noise of another seed, `snr_db` below `signal`."""
    return signal.std() * 10.0 ** (-snr_db / 20.0) * np.random.default_rng(seed).standard_normal(signal.shape)


def delayed(signal: Signal, frames: float) -> Signal:
    length = signal.shape[-1]
    spectrum = np.fft.rfft(signal, 2 * length)
    shift = np.exp(-2j * np.pi * np.fft.rfftfreq(2 * length) * frames)
    return np.asarray(np.fft.irfft(spectrum * shift, 2 * length)[..., :length])


def column(*values: float) -> Signal:
    return np.array(values)[:, None]


def db(*values: float) -> Signal:
    return 10.0 ** (column(*values) / 20.0)


def settings(**values: object) -> EstimatorSettings:
    return EstimatorSettings(RATE, WINDOW, HOP, **values)  # type: ignore[arg-type]


def make_streaming(
    dry: Signal, target: Signal, *, last: Estimate | None = None, live: bool = False, **values: object
) -> tuple[StreamingEstimator, RingSignalReader]:
    """Make a streaming estimator on two signals, ``(channels, frames)``."""
    channels, frames = dry.shape
    capacity = 1 << (frames - 1).bit_length()
    memory = memoryview(bytearray(RingBuffer.nbytes(audio_rows(channels), capacity, np.float32)))
    ring = AudioRing(memory, channels, capacity)
    ring.write(np.concatenate([dry, target, dry, np.full((1, frames), GAIN)]).astype(np.float32))
    reader = RingSignalReader(ring)
    return StreamingEstimator(reader, Estimator(settings(**values)), last=last, live=live), reader


def estimate(dry: Signal, target: Signal, **values: object) -> list[Estimate]:
    streaming, _ = make_streaming(dry, target, **values)  # type: ignore[arg-type]
    estimates: list[Estimate] = []
    while batch := streaming.advance():
        estimates += batch
    return estimates


def last_estimate(dry: Signal, target: Signal, **values: object) -> Estimate:
    return estimate(dry, target, **values)[-1]


X = stereo()

PAIRS = {
    "copy": (X, GAIN * X, (1, 1)),
    "right inverted": (X, GAIN * column(1, -1) * X, (1, -1)),
    "left inverted": (X, GAIN * column(-1, 1) * X, (-1, 1)),
    "both inverted": (X, -GAIN * X, (-1, -1)),
    "anti-phase": (column(1, -1) * X[0], GAIN * column(1, -1) * X[0], (1, 1)),
    "equal channels": (column(1, 1) * X[0], GAIN * column(1, 1) * X[0], (1, 1)),
    "right 60 dB softer": (column(1, 1e-3) * X, GAIN * column(1, 1e-3) * X, (1, 1)),
    "dry right silent": (column(1, 0) * X, GAIN * X, (1, 0)),
    "target right silent": (X, GAIN * column(1, 0) * X, (1, 0)),
    "left silent": (column(0, 1) * X, GAIN * column(0, 1) * X, (0, 1)),
    "eight channels": (
        np.concatenate([X, 0.5 * X[::-1], -X, 0.0 * X]),
        GAIN * column(1, -1, 1, 1, -1, 1, 1, 1) * np.concatenate([X, 0.5 * X[::-1], -X, 0.0 * X]),
        (1, -1, 1, 1, -1, 1, 0, 0),
    ),
}
"""Pairs of one gain: dry, target, and the polarity of each channel; 0 if one of its signals is silent."""


@pytest.mark.parametrize("name", PAIRS)
def test_each_channel_has_its_gain_and_polarity(name: str) -> None:
    dry, target, polarities = PAIRS[name]
    estimates = estimate(dry, target)
    last = estimates[-1]
    assert last.gain_est_db == pytest.approx(GAIN_DB, abs=0.002)
    assert last.std_db < 0.002
    assert last.state is State.TRACKING
    assert last.channel_polarities == polarities
    expected = [GAIN_DB if polarity else math.nan for polarity in polarities]
    assert last.channel_gains_db == pytest.approx(expected, abs=0.002, nan_ok=True)
    assert last.channel_delays_frames == pytest.approx([0.0] * len(polarities), abs=0.02)
    known = set(polarities) - {0}
    assert last.polarity == (known.pop() if len(known) == 1 else 0)
    assert all(math.isfinite(one.gain_est_db) and math.isfinite(one.std_db) for one in estimates)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_finds_the_gain_of_each_channel(loss: str) -> None:
    dry, target = column(1, 0.3, 0) * X[[0, 1, 1]], GAIN * column(1, -0.3, 1) * X[[0, 1, 1]]
    last = last_estimate(dry, target, loss=loss)
    assert last.gain_est_db == pytest.approx(GAIN_DB, abs=0.01)
    assert last.channel_gains_db == pytest.approx([GAIN_DB, GAIN_DB, math.nan], abs=0.01, nan_ok=True)
    assert last.channel_polarities == (1, -1, 0)


@pytest.mark.parametrize(("left_db", "right_db"), [(-7.0, -5.0), (-6.1, -5.9), (-20.0, 10.0)])
def test_two_deviations_cover_both_gains_of_an_unbalanced_pair(left_db: float, right_db: float) -> None:
    estimates = estimate(X, db(left_db, right_db) * X)
    for one in estimates[-100:]:
        assert one.channel_gains_db == pytest.approx((left_db, right_db), abs=0.002)
        assert left_db - 0.002 <= one.gain_est_db <= right_db + 0.002
        assert one.gain_est_db - 2.0 * one.std_db <= left_db + 0.002
        assert one.gain_est_db + 2.0 * one.std_db >= right_db - 0.002
        if right_db - left_db > 4.0 * TRACKING_STD_DB:
            assert one.state in (State.CONVERGING, State.INCOHERENT)


def test_noise_alone_is_not_a_difference_between_channels() -> None:
    target = GAIN * X
    estimates = estimate(X, target + noise(target, 20.0))[-100:]
    assert all(one.std_db < 0.03 for one in estimates)
    for one in estimates:
        assert one.channel_gains_db == pytest.approx((GAIN_DB, GAIN_DB), abs=0.1)


@pytest.mark.parametrize(
    ("common_frames", "right_ms", "signs"),
    [(0.0, 12.0, (1, 1)), (0.0, 12.0, (-1, 1)), (84.8, 0.0, (1, -1)), (1600.3, 12.0, (1, 1)), (-400.2, 5.01, (1, -1))],
)
def test_each_channel_has_its_own_delay(common_frames: float, right_ms: float, signs: tuple[int, int]) -> None:
    dry = stereo(6.0)
    right_frames = common_frames + right_ms * RATE / 1000
    target = GAIN * column(*signs) * np.stack([delayed(dry[0], common_frames), delayed(dry[1], right_frames)])
    last = last_estimate(dry, target)
    assert last.channel_delays_frames == pytest.approx((common_frames, right_frames), abs=0.1)
    assert last.delay_frames == pytest.approx(min(common_frames, right_frames, key=abs), abs=0.1)
    assert last.channel_gains_db == pytest.approx((GAIN_DB, GAIN_DB), abs=0.01)
    assert last.gain_est_db == pytest.approx(GAIN_DB, abs=0.01)
    assert last.channel_polarities == signs
    assert last.state is State.TRACKING


def test_fractions_of_a_frame_between_channels_are_measured_from_a_tenth_on() -> None:
    half, tenth = (
        last_estimate(X, GAIN * np.stack([X[0], delayed(X[1], frames)])).channel_delays_frames for frames in (0.5, 0.05)
    )
    assert half == pytest.approx((0.0, 0.5), abs=0.05)
    assert tenth[0] == tenth[1] == pytest.approx(0.025, abs=0.02)


@pytest.mark.parametrize("right_ms", [0.0, 12.0])
def test_windows_one_by_one_and_many_at_once_give_the_same(right_ms: float) -> None:
    target = np.stack([GAIN * X[0], -0.3 * delayed(X[1], right_ms * RATE / 1000)])
    whole = estimate(X, target)
    streaming, reader = make_streaming(X, target, live=True)
    single: list[Estimate] = []
    for frames in range(HOP, X.shape[1] + 1, HOP):
        reader.limit_frame = frames
        batch = streaming.advance()
        assert len(batch) <= 1
        single += batch
    single += streaming.advance()
    assert len(single) >= len(whole) - 1
    for one, other in zip(single, whole, strict=False):
        assert one.state is other.state
        assert one.channel_polarities == other.channel_polarities
        assert one.channel_gains_db == pytest.approx(other.channel_gains_db, abs=1e-3, nan_ok=True)
        assert one.channel_delays_frames == pytest.approx(other.channel_delays_frames, abs=1e-3, nan_ok=True)


def test_a_channel_of_unrelated_noise_does_not_count() -> None:
    target = np.stack([GAIN * X[0], noise(X[1], 0.0)])
    estimates = estimate(X, target)
    for one in estimates[round(INCOHERENT_AFTER_S * RATE / HOP) + 1 :]:
        assert one.gain_est_db == pytest.approx(GAIN_DB, abs=0.002)
        assert one.std_db < 0.002
        assert math.isnan(one.channel_gains_db[1])
        assert (one.polarity, one.channel_polarities) == (1, (1, 0))
    assert estimates[-1].state is State.TRACKING


def test_noise_in_one_channel_leaves_the_other_exact() -> None:
    target = GAIN * X
    target[1] += noise(target[1], 10.0)
    last = last_estimate(X, target)
    assert last.gain_est_db == pytest.approx(GAIN_DB, abs=0.002)
    assert last.channel_gains_db[0] == pytest.approx(GAIN_DB, abs=0.002)
    assert last.channel_gains_db[1] == pytest.approx(GAIN_DB, abs=0.1)
    assert last.state is State.TRACKING


@pytest.mark.parametrize("silent_in", ["both", "target"])
def test_a_channel_that_falls_silent_stops_counting_and_returns(silent_in: str) -> None:
    present = np.ones(X.shape[1])
    present[RATE : 3 * RATE] = 0.0
    dry = X.copy()
    target = db(-7.0, -5.0) * X
    target[1] *= present
    if silent_in == "both":
        dry[1] *= present
    estimates = estimate(dry, target)
    at = {time_s: estimates[round(time_s * RATE / HOP)] for time_s in (0.8, 2.0, 2.8, 3.8)}
    for time_s in (0.8, 3.8):
        assert at[time_s].channel_gains_db == pytest.approx((-7.0, -5.0), abs=0.002)
        assert at[time_s].channel_polarities == (1, 1)
        assert at[time_s].std_db > 0.4
    for time_s in (2.0, 2.8):
        assert at[time_s].channel_gains_db == pytest.approx((-7.0, math.nan), abs=0.002, nan_ok=True)
        assert at[time_s].channel_polarities == (1, 0)
        assert at[time_s].gain_est_db == pytest.approx(-7.0, abs=0.002)
        assert at[time_s].std_db < 0.002
    assert all(math.isfinite(one.gain_est_db) and math.isfinite(one.std_db) for one in estimates)


def test_silence_in_all_channels_keeps_what_is_known() -> None:
    dry, target = X.copy(), db(-7.0, -5.0) * column(1, -1) * X
    dry[:, 2 * RATE :] = target[:, 2 * RATE :] = 0.0
    last = last_estimate(dry, target)
    assert last.state is State.SILENT
    assert last.channel_gains_db == pytest.approx((-7.0, -5.0), abs=0.002)
    assert last.channel_polarities == (1, -1)


def test_nothing_is_known_of_channels_without_sound_in_common() -> None:
    last = last_estimate(column(1, 0) * X, column(0, 1) * X)
    assert last.state is State.SILENT
    assert math.isnan(last.gain_est_db)
    assert np.isnan(last.channel_gains_db).all()
    assert (last.polarity, last.channel_polarities) == (0, (0, 0))


@pytest.mark.parametrize("snr_db", [30.0, 10.0])
def test_noise_has_less_effect_on_two_channels_than_on_one(snr_db: float) -> None:
    target = GAIN * X + noise(GAIN * X, snr_db)

    def rms_error_db(channels: slice) -> float:
        estimates = estimate(X[channels], target[channels])
        errors_db = [one.gain_opt_db - GAIN_DB for one in estimates if one.state is State.TRACKING]
        assert len(errors_db) > 100
        return float(np.sqrt(np.mean(np.square(errors_db))))

    assert rms_error_db(slice(0, 2)) < max(rms_error_db(slice(0, 1)), rms_error_db(slice(1, 2)))


def test_a_moving_gain_is_followed_in_two_channels_as_in_one() -> None:
    gain_db = -12.0 + 6.0 * np.sin(2.0 * np.pi * 0.5 * np.arange(X.shape[1]) / RATE)
    target = 10.0 ** (gain_db / 20.0) * X
    for one in estimate(X, target)[-150:]:
        true_db = gain_db[round(one.center_frame)]
        assert one.gain_est_db == pytest.approx(true_db, abs=0.3)
        assert one.channel_gains_db == pytest.approx((true_db, true_db), abs=0.5)
        assert one.std_db < TRACKING_STD_DB


def test_a_step_settles_in_one_window_and_two_hops() -> None:
    gain_db = np.where(np.arange(X.shape[1]) < 2 * RATE, -20.0, 0.0)
    for one in estimate(X, 10.0 ** (gain_db / 20.0) * X):
        if one.available_frame > 2 * RATE + WINDOW + 2 * HOP:
            assert one.gain_est_db == pytest.approx(0.0, abs=0.1)
            assert one.channel_gains_db == pytest.approx((0.0, 0.0), abs=0.1)


def test_a_clipped_channel_rejects_the_window_and_a_silent_one_does_not() -> None:
    dry = 4.0 * X
    clipped = np.clip(dry, -0.3, 0.3)
    states = {one.state for one in estimate(dry, np.stack([dry[0], clipped[1]]), reject_clipped=True)}
    assert State.CLIPPED in states
    muted = estimate(column(1, 0) * dry, np.stack([dry[0], clipped[1]]), reject_clipped=True)
    assert State.CLIPPED not in {one.state for one in muted}


def test_a_resumed_estimator_keeps_delays_polarities_and_gains() -> None:
    target = np.stack([GAIN * X[0], -0.3 * delayed(X[1], 192.0)])
    before = last_estimate(X, target)
    streaming, reader = make_streaming(X, target, last=before)
    reader.limit_frame = X.shape[1]
    start = before.center_frame - 20 * HOP
    resumed, _ = make_streaming(X, target, last=Estimate(**{**vars(before), "center_frame": start}))
    after = resumed.advance()[0]
    assert streaming.next_frame > X.shape[1]
    assert after.channel_delays_frames == pytest.approx(before.channel_delays_frames, abs=1e-6)
    assert after.channel_polarities == before.channel_polarities == (1, -1)
    assert after.channel_gains_db == pytest.approx(before.channel_gains_db, abs=0.002)


def test_a_mono_estimate_has_one_channel() -> None:
    last = last_estimate(X[:1], -GAIN * delayed(X[:1], 40.0))
    assert last.channel_gains_db == (last.gain_est_db,)
    assert last.channel_polarities == (last.polarity,) == (-1,)
    assert last.channel_delays_frames == (last.delay_frames,) == pytest.approx((40.0,), abs=0.02)
