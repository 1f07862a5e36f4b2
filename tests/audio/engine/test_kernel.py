"""Kernel: the rings and counters that it writes, and bits that depend neither on block size nor on driver."""

import ctypes
import time
from collections.abc import Callable, Iterator, Sequence

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core.runtime import _nrt_python, rtsys
from numpy.typing import NDArray

from rtgain.audio.effects.matched_path import MatchedPath
from rtgain.audio.engine.audio_ring import AudioSignals
from rtgain.audio.engine.engine import Engine
from rtgain.audio.engine.kernel import process_block
from rtgain.config.names import MAX_CHANNELS, Monitor, Target
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters

RATE = 48000

FADE = np.arange(1, 961) / 961
"""Share of the new frames in the 20 ms of a flush's crossfade."""

EQUALIZER = EqualizerFilters(
    -1.0,
    (
        EqualizerFilter("low_shelf", 100.0, 4.0, 0.7),
        EqualizerFilter("peak", 700.0, -9.0, 2.0),
        EqualizerFilter("high_shelf", 8000.0, 6.0, 0.7),
    ),
)

Signal = NDArray[np.float32]


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(RATE) as engine:
        yield engine


def white(frames: int, seed: int = 1) -> Signal:
    return (0.1 * np.random.default_rng(seed).standard_normal(frames)).astype(np.float32)


def play(engine: Engine, dry: Signal, target: Signal | None = None, blocks: Sequence[int] | None = None) -> Signal:
    """Process `dry` (and `target`) in blocks of the sizes `blocks`, repeated. Returns the monitor output.

    The inputs have the shape (channels, frames), or (frames,) for one channel.
    """
    dry = np.atleast_2d(dry)
    target = None if target is None else np.atleast_2d(target)
    frames = dry.shape[1]
    out = np.full((frames, engine.out_channels), np.nan, np.float32)
    position, block = 0, 0
    blocks = blocks or [frames]
    while position < frames:
        end = min(frames, position + blocks[block % len(blocks)])
        second = None if target is None else target[:, position:end]
        engine.process(dry[:, position:end], second, out[position:end])
        position, block = end, block + 1
    return out


def rows(engine: Engine) -> NDArray[np.floating]:
    """Return all readable frames of the audio ring, shape (rows, frames)."""
    ring = engine.memory.audio
    return ring.read(ring.oldest_frame, ring.frames_written - ring.oldest_frame)


def signals(engine: Engine) -> AudioSignals:
    """Return all readable frames of the audio ring."""
    ring = engine.memory.audio
    return ring.read_signals(ring.oldest_frame, ring.frames_written - ring.oldest_frame)


# Processing of a block


def test_ring_contains_dry_target_matched_and_reference_gain(engine: Engine) -> None:
    engine.reference.set(gain_db=-6.0, polarity=-1)
    engine.memory.control["matched_gain"] = -0.5
    engine.memory.control["matched_delay_frames"] = 3.0
    x = white(1000)
    play(engine, x)
    ring = signals(engine)
    gain = 10 ** (-6 / 20)
    np.testing.assert_array_equal(ring.dry[0], x)
    np.testing.assert_array_equal(ring.target[0], (-gain * x.astype(np.float64)).astype(np.float32))
    np.testing.assert_array_equal(ring.matched[0], np.concatenate([np.zeros(3, np.float32), -0.5 * x[:-3]]))
    np.testing.assert_array_equal(ring.reference_gain, np.float32(gain))


def test_control_record_and_ring_count_the_same_frames(engine: Engine) -> None:
    play(engine, white(1000), blocks=[64, 0, 1])
    assert engine.memory.control["frames"] == engine.memory.audio.frames_written == 1000


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("dry", (1, 0, 0)),
        ("target", (0, 1, 0)),
        ("matched", (0, 0, 1)),
        ("difference", (0, 1, -1)),
        ("mute", (0, 0, 0)),
    ],
)
def test_output_is_the_monitor_signal(engine: Engine, name: str, weights: tuple[int, int, int]) -> None:
    engine.reference.set(gain_db=-3.0)
    engine.memory.control["matched_gain"] = 0.5
    engine.set_monitor(name)
    output = play(engine, white(1000))
    ring = signals(engine)
    expected = np.asarray(weights) @ np.concatenate([ring.dry, ring.target, ring.matched]).astype(np.float64)
    np.testing.assert_allclose(output[:, 0], expected, atol=1e-8)
    np.testing.assert_array_equal(output[:, 0], output[:, 1])


def test_default_monitor_is_the_target_or_dry_for_target_return(engine: Engine) -> None:
    x = white(100)
    play(engine, x)
    np.testing.assert_array_equal(play(engine, x)[:, 0], signals(engine).target[0, 100:])
    with Engine(RATE, target="return", in_channels=1) as returning:
        np.testing.assert_array_equal(play(returning, x, white(100, seed=2))[:, 0], x)


def test_monitor_change_crossfades_in_twenty_milliseconds(engine: Engine) -> None:
    engine.reference.set(gain_db=-120.0)
    engine.set_monitor("dry")
    ones = np.full(960, 0.5, np.float32)
    play(engine, ones)
    engine.set_monitor("mute")
    np.testing.assert_allclose(play(engine, ones)[:, 0], 0.5 - 0.5 * np.arange(1, 961) / 960, atol=1e-7)
    assert np.all(play(engine, ones) == 0.0)


@pytest.mark.parametrize(
    ("name", "trim_db"), [("dry", -1.0), ("target", -6.0), ("matched", -6.0), ("difference", -6.0)]
)
def test_trims_attenuate_the_monitor_but_not_the_ring(name: Monitor, trim_db: float) -> None:
    outputs = []
    for trims in ((0.0, 0.0), (-1.0, -6.0)):
        with Engine(RATE) as engine:
            engine.memory.control["matched_gain"] = 0.5
            engine.set_monitor(name)
            engine.set_trims(dry_db=trims[0], target_db=trims[1])
            outputs.append(play(engine, white(1000))[:, 0])
            np.testing.assert_array_equal(signals(engine).dry[0], white(1000))
            np.testing.assert_array_equal(signals(engine).matched[0], 0.5 * white(1000))
    np.testing.assert_allclose(outputs[1], 10 ** (trim_db / 20) * outputs[0], atol=1e-8)


def test_trims_change_in_twenty_milliseconds_and_at_zero_keep_every_bit(engine: Engine) -> None:
    engine.set_monitor("dry")
    engine.set_trims(dry_db=-6.0206, target_db=0.0)
    ones = np.full(960, 0.5, np.float32)
    assert np.allclose(play(engine, ones)[:, 0], 0.25, atol=1e-6)  # the first block has no ramp
    engine.set_trims(dry_db=0.0, target_db=0.0)
    np.testing.assert_allclose(play(engine, ones)[:, 0], 0.25 + 0.25 * np.arange(1, 961) / 960, atol=1e-6)
    np.testing.assert_array_equal(play(engine, white(1000))[:, 0], white(1000))


def test_switching_between_matched_levels_is_inaudible(engine: Engine) -> None:
    engine.reference.set(gain_db=4.0)
    engine.set_trims(dry_db=0.0, target_db=-4.0)
    x = white(4800)
    for name in ("target", "dry", "target"):
        engine.set_monitor(name)
        np.testing.assert_allclose(play(engine, x)[:, 0], x, atol=1e-7)


def test_trims_do_not_amplify(engine: Engine) -> None:
    with pytest.raises(ValueError, match="must be at most 0"):
        engine.set_trims(dry_db=0.1, target_db=0.0)
    with pytest.raises(ValueError, match="must be at most 0"):
        engine.set_trims(dry_db=0.0, target_db=float("nan"))


def test_unknown_monitor_signal_is_rejected(engine: Engine) -> None:
    with pytest.raises(ValueError, match="'wet' is not a monitor signal; choose from dry, target, matched"):
        engine.set_monitor("wet")


def test_output_is_limited_to_full_scale_but_the_rings_are_not(engine: Engine) -> None:
    engine.reference.set(gain_db=40.0)
    output = play(engine, np.array([0.5, -0.5, 0.001], np.float32))
    np.testing.assert_allclose(output[:, 0], [1.0, -1.0, 0.1], rtol=1e-6)
    np.testing.assert_allclose(signals(engine).target[0], [50.0, -50.0, 0.1], rtol=1e-6)


def test_input_target_is_copied_unchanged(engine: Engine) -> None:
    for target in ("channel", "return"):
        with Engine(RATE, target=target, in_channels=2) as outside:
            x, y = white(300), white(300, seed=2)
            play(outside, x, y)
            np.testing.assert_array_equal(signals(outside).dry, [x])
            np.testing.assert_array_equal(signals(outside).target, [y])
            assert np.all(np.isnan(signals(outside).reference_gain))


def test_block_with_too_little_input_is_rejected(engine: Engine) -> None:
    with pytest.raises(ValueError, match="as many frames of input"):
        engine.process(white(63)[None], None, np.zeros((64, 2), np.float32))


# Channels


def stereo(frames: int, seed: int = 1) -> Signal:
    return np.stack([white(frames, seed), white(frames, seed + 100)])


EFFECTS = ({}, {"phase_deg": 37.0}, {"delay_ms": 5.003}, {"noise_dbfs": -50.0, "polarity": -1})


@pytest.mark.parametrize("effect", EFFECTS, ids=["gain", "phase", "delay", "noise and polarity"])
def test_first_channel_of_a_stereo_engine_has_the_bits_of_a_mono_engine(effect: dict[str, float]) -> None:
    x = stereo(5000)
    with Engine(RATE, channels=2, seed=7) as both, Engine(RATE, seed=7) as mono:
        for engine in (both, mono):
            engine.reference.set(gain_db=-6.0, **effect)
            engine.memory.control["matched_gain"] = 0.4
            engine.memory.control["matched_delay_frames"] = 240.14
        play(both, x[:, :3000])
        play(mono, x[0, :3000])
        for engine in (both, mono):
            engine.reference.set(gain_db=-3.0, phase_deg=0.0, delay_ms=1.0)
            engine.reference.set_automation(np.array([0, 4000]), np.array([0.0, -9.0]))
        play(both, x[:, 3000:], blocks=[64])
        play(mono, x[0, 3000:])
        found, expected = signals(both), signals(mono)
        for name in ("dry", "target", "matched"):
            np.testing.assert_array_equal(getattr(found, name)[:1], getattr(expected, name))
        np.testing.assert_array_equal(found.reference_gain, expected.reference_gain)


@pytest.mark.parametrize("effect", EFFECTS[:3], ids=["gain", "phase", "delay"])
def test_every_channel_passes_through_the_reference_path_alone(effect: dict[str, float]) -> None:
    x = np.stack([white(3000, seed) for seed in range(MAX_CHANNELS)])
    with Engine(RATE, channels=MAX_CHANNELS) as every:
        every.reference.set(gain_db=-6.0, **effect)
        play(every, x)
        found = signals(every)
    for channel in range(MAX_CHANNELS):
        with Engine(RATE) as mono:
            mono.reference.set(gain_db=-6.0, **effect)
            play(mono, x[channel])
            np.testing.assert_array_equal(found.dry[channel], signals(mono).dry[0])
            np.testing.assert_array_equal(found.target[channel], signals(mono).target[0])


def test_noise_of_the_channels_is_independent_with_equal_level() -> None:
    with Engine(RATE, channels=3) as engine, Engine(RATE) as mono:
        frames = 100_000
        for each in (engine, mono):
            each.reference.set(noise_dbfs=-20.0)
            play(each, np.zeros((each.channels, frames), np.float32))
        noise = signals(engine).target
        np.testing.assert_array_equal(noise[:1], signals(mono).target)
        np.testing.assert_allclose(np.sqrt(np.mean(noise.astype(np.float64) ** 2, axis=1)), 0.1, rtol=0.02)
        assert np.abs(np.corrcoef(noise) - np.eye(3)).max() < 4 / np.sqrt(frames)


def test_every_channel_has_its_own_matched_gain_and_delay() -> None:
    x = stereo(1000)
    with Engine(RATE, channels=2) as engine:
        control = engine.memory.control
        control["matched_gain"], control["matched_delay_frames"] = (0.5, -0.25), (0.0, 480.0)
        play(engine, x)
        matched = signals(engine).matched
        np.testing.assert_array_equal(matched[0], 0.5 * x[0])
        np.testing.assert_array_equal(matched[1], np.concatenate([np.zeros(480, np.float32), -0.25 * x[1, :520]]))
        control["matched_gain"] = 1.0
        assert control["matched_gain"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("name", "weights"), [("dry", (1, 0, 0)), ("target", (0, 1, 0)), ("matched", (0, 0, 1)), ("difference", (0, 1, -1))]
)
def test_left_and_right_are_played_as_they_are(name: str, weights: tuple[int, int, int]) -> None:
    x, y = stereo(1000), stereo(1000, seed=2)
    with Engine(RATE, channels=2, target="channel") as engine:
        engine.memory.control["matched_gain"] = 0.5, 0.25
        engine.set_monitor(name)  # type: ignore[arg-type]
        output = play(engine, x, y)
        ring = signals(engine)
    np.testing.assert_array_equal(ring.dry, x)
    np.testing.assert_array_equal(ring.target, y)
    expected = np.tensordot(weights, np.stack([x, y, x * [[0.5], [0.25]]]), 1)
    np.testing.assert_allclose(output.T, expected, atol=1e-8)
    if name in ("dry", "target"):
        np.testing.assert_array_equal(output.T, x if name == "dry" else y)


@pytest.mark.parametrize("other", [lambda x: -x, np.zeros_like], ids=["anti-phase", "silent"])
def test_anti_phase_and_a_silent_channel_are_not_changed(other: Callable[[Signal], Signal]) -> None:
    left = white(1000)
    x = np.stack([left, other(left)])
    with Engine(RATE, channels=2) as engine:
        engine.reference.set(gain_db=20 * np.log10(0.5))
        output = play(engine, x)
        np.testing.assert_array_equal(signals(engine).dry, x)
        np.testing.assert_array_equal(output.T, 0.5 * x)


@pytest.mark.parametrize(
    ("channels", "out_channels", "output_channels", "expected"),
    [
        (1, 4, None, "LLLL"),
        (1, 4, (2,), "-L--"),
        (1, 4, (3, 4), "--LL"),
        (2, 1, None, "M"),
        (2, 2, None, "LR"),
        (2, 2, (2,), "-M"),
        (2, 4, None, "LR--"),
        (2, 4, (4, 3), "--RL"),
        (2, 4, (3, 4), "--LR"),
    ],
)
def test_channels_go_to_the_outputs(
    channels: int, out_channels: int, output_channels: tuple[int, ...] | None, expected: str
) -> None:
    """L and R are the channels, M is their mean, and a dash is silence."""
    x = stereo(1000)[:channels]
    with Engine(RATE, channels=channels, out_channels=out_channels, output_channels=output_channels) as engine:
        engine.set_monitor("dry")
        output = play(engine, x)
    outputs = {"L": x[0], "R": x[-1], "M": x.mean(axis=0), "-": np.zeros(1000)}
    for found, name in zip(output.T, expected, strict=True):
        np.testing.assert_allclose(found, outputs[name], rtol=1e-6, atol=1e-9)


def test_mean_of_both_channels_is_limited_after_it_is_formed() -> None:
    with Engine(RATE, channels=2, out_channels=1) as engine:
        engine.set_monitor("dry")
        np.testing.assert_array_equal(play(engine, np.array([[1.5], [-0.5]], np.float32)), [[0.5]])


def test_channels_that_do_not_exist_are_rejected() -> None:
    with pytest.raises(ValueError, match="1 to 8 channels, not 9"):
        Engine(RATE, channels=9)
    with pytest.raises(ValueError, match=r"the dry signal needs 2 of 2 inputs, not \(1, 3\)"):
        Engine(RATE, channels=2, in_channels=2, dry_channels=(1, 3))
    with pytest.raises(ValueError, match=r"the target signal needs 2 of 4 inputs, not \(1,\)"):
        Engine(RATE, channels=2, target="return", in_channels=4)
    with pytest.raises(ValueError, match=r"the monitor signal needs some of 2 outputs, not \(2, 3\)"):
        Engine(RATE, channels=2, output_channels=(2, 3))
    with Engine(RATE, channels=2) as engine, pytest.raises(ValueError, match="input on 2 channels"):
        engine.process(white(64)[None], None, np.zeros((64, 2), np.float32))


# Counters


def test_invalid_samples_of_one_channel_are_counted_and_the_other_is_not_changed() -> None:
    x = stereo(1000)
    x[1, [5, 600]] = np.nan, np.inf
    with Engine(RATE, channels=2) as engine:
        play(engine, x)
        dry = signals(engine).dry
        assert engine.memory.control["invalid_frames"] == 2
    np.testing.assert_array_equal(dry, np.nan_to_num(x, nan=0.0, posinf=0.0))


def test_invalid_samples_become_silence_and_are_counted(engine: Engine) -> None:
    engine.reference.set(gain_db=0.0, phase_deg=37.0, delay_ms=1.23)
    x = white(2000)
    x[[5, 600, 601, 1999]] = np.nan, np.inf, -np.inf, 3e38
    output = play(engine, x)
    assert engine.memory.control["invalid_frames"] == 4
    assert np.all(np.isfinite(output))
    assert np.all(np.isfinite(rows(engine)))


@pytest.mark.parametrize(
    ("target", "in_channels", "counted"),
    [("reference", 0, 0), ("reference", 1, 4), ("channel", 0, 0), ("channel", 2, 5), ("return", 1, 1)],
    ids=["file", "microphone", "file with two channels", "two inputs", "file and microphone"],
)
def test_full_scale_is_counted_as_clipped_on_inputs_of_a_device(target: Target, in_channels: int, counted: int) -> None:
    dry = np.array([0.999, 32767 / 32768, 1.0, -1.0, 1.5, 0.0], np.float32)
    recorded = np.array([0.0, 0.5, -1.0, 0.0, 0.0, 0.0], np.float32)
    with Engine(RATE, target=target, in_channels=in_channels) as engine:
        play(engine, dry, None if target == "reference" else recorded)
        assert engine.memory.control["clipped_frames"] == counted


@pytest.mark.parametrize("blocks", [[64], [256], [2000, 17]])
def test_simulated_xrun_silences_the_output_for_twenty_milliseconds_and_no_ring(
    engine: Engine, blocks: list[int]
) -> None:
    engine.reference.set(gain_db=0.0)
    x = np.full(4000, 0.25, np.float32)
    before = play(engine, x[:2000], blocks=blocks)
    engine.simulate_xrun()
    output = np.concatenate([before, play(engine, x[2000:], blocks=blocks)])[:, 0]
    gap = slice(2000, 2000 + RATE // 50)
    np.testing.assert_array_equal(output[gap], 0.0)
    assert np.all(np.delete(output[480:], np.arange(4000)[gap] - 480) != 0.0)
    np.testing.assert_array_equal(signals(engine).dry[0], x)
    assert engine.memory.control["xruns"] == 1


def test_simulated_xrun_silences_both_channels() -> None:
    with Engine(RATE, channels=2) as engine:
        engine.set_monitor("dry")
        engine.simulate_xrun()
        output = play(engine, np.full((2, 1000), 0.25, np.float32))
        np.testing.assert_array_equal(output[:960], 0.0)
        np.testing.assert_array_equal(output[960:], 0.25)


@pytest.mark.parametrize("invalid", [np.nan, np.inf, -1e9])
def test_invalid_estimate_keeps_the_last_valid_gain_and_delay(engine: Engine, invalid: float) -> None:
    engine.memory.control["matched_gain"] = 0.5
    play(engine, white(100))
    engine.memory.control["matched_gain"] = invalid
    engine.memory.control["matched_delay_frames"] = np.nan
    x = white(100, seed=2)
    play(engine, x)
    np.testing.assert_array_equal(signals(engine).matched[0, 100:], 0.5 * x)


# Reproducible bits


def perform(blocks: Sequence[int], channels: int = 1) -> tuple[bytes, bytes]:
    """Run a session with every effect active and a change of all parameters every 3000 frames."""

    def noise(seed: int) -> Signal:
        return np.stack([white(3000, seed + 100 * channel) for channel in range(channels)])

    with Engine(RATE, channels=channels, seed=7) as engine:
        control = engine.memory.control
        engine.reference.set(gain_db=-6.0, phase_deg=37.0, delay_ms=5.003, noise_dbfs=-50.0)
        control["matched_gain"], control["matched_delay_frames"] = 0.4, 240.14
        engine.reference.set_equalizer(EQUALIZER)
        output = [play(engine, noise(1), blocks=blocks)]
        engine.reference.set(gain_db=-3.0, polarity=-1, phase_deg=0.0, delay_ms=1.0)
        engine.set_monitor("difference")
        control.publish_equalizer(EQUALIZER.coefficients(RATE))
        negative_zeros = noise(2)
        negative_zeros[:, 900:1100] = -0.0  # at the end of crossfades; arithmetic loses the sign of zero first
        output.append(play(engine, negative_zeros, blocks=blocks))
        engine.reference.set_automation(np.array([0, 7000, 7000, 8000]), np.array([0.0, -9.0, -1.0, -2.0]))
        engine.reference.set(phase_deg=90.0, delay_ms=0.03, noise_dbfs=-np.inf)
        control["matched_gain"], control["matched_delay_frames"] = -0.3, 48.0
        engine.reference.set_equalizer(EqualizerFilters())
        control.publish_equalizer(EQUALIZER.coefficients(RATE)[:1])
        output.append(play(engine, noise(3), blocks=blocks))
        engine.reference.set_automation(None)
        engine.reference.set(gain_db=0.0, polarity=1, phase_deg=0.0, delay_ms=0.0)
        engine.set_monitor("matched")
        control.publish_equalizer(np.empty((0, 5)))
        output.append(play(engine, np.zeros((channels, 3000), np.float32), blocks=blocks))
        return rows(engine).tobytes(), np.concatenate(output).tobytes()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("blocks", [[1], [63], [64], [480], [4096], [0, 5, 333]])
def test_block_size_does_not_change_a_bit(blocks: list[int], channels: int) -> None:
    assert perform(blocks, channels) == perform([3000], channels)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=8).filter(any))
def test_random_block_sizes_do_not_change_a_bit(blocks: list[int]) -> None:
    assert perform(blocks) == perform([3000])


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    def noise(seed: int) -> bytes:
        with Engine(RATE, seed=seed) as engine:
            engine.reference.set(noise_dbfs=-20.0)
            return play(engine, np.zeros(500, np.float32)).tobytes()

    assert noise(1) == noise(1) != noise(2)


def test_matched_path_and_kernel_give_the_same_matched_signal(engine: Engine) -> None:
    """Both call the same function with the same estimates at the same frames."""
    engine.reference.set(phase_deg=37.0)
    control = engine.memory.control
    matched_path, matched = MatchedPath(RATE), []
    for gain, delay_frames in [(0.5, 0.0), (-0.25, 12.34), (-0.26, 12.3), (0.0, 480.0)]:
        control["matched_gain"], control["matched_delay_frames"] = gain, delay_frames
        start = engine.memory.audio.frames_written
        play(engine, white(1500), blocks=[64])
        dry = engine.memory.audio.read_signals(start, 1500).dry
        matched.append(matched_path.process(dry, gains=[gain], delays_frames=[delay_frames]))
        control.publish_equalizer(EQUALIZER.coefficients(RATE))
        matched_path.set_equalizer(EQUALIZER.coefficients(RATE))
    np.testing.assert_array_equal(np.concatenate(matched, axis=1), signals(engine).matched)


# The source ring


def pull(engine: Engine, frames: int) -> Signal:
    out = np.full((frames, engine.out_channels), np.nan, np.float32)
    engine.process_source(out)
    return out


def test_source_ring_and_direct_input_give_the_same_output(engine: Engine) -> None:
    x = white(5 * engine.source_capacity // 2)
    with Engine(RATE) as direct:
        expected = play(direct, x)
    output, written = [], 0
    while written < len(x):
        block = x[None, written : written + engine.source_space]
        engine.write_source(block, last=written + block.shape[1] == len(x))
        written += block.shape[1]
        output.append(pull(engine, min(30011, len(x) - sum(map(len, output)))))
    while sum(map(len, output)) < len(x):
        output.append(pull(engine, min(30011, len(x) - sum(map(len, output)))))
    np.testing.assert_array_equal(np.concatenate(output), expected)
    assert engine.memory.control["underrun_frames"] == 0


def test_empty_source_ring_plays_silence_and_loses_nothing(engine: Engine) -> None:
    engine.set_monitor("dry")
    x = white(100)
    engine.write_source(x[None, :60])
    first = pull(engine, 64)
    engine.write_source(x[None, 60:])
    second = pull(engine, 40)
    np.testing.assert_array_equal(first[:, 0], np.concatenate([x[:60], np.zeros(4, np.float32)]))
    np.testing.assert_array_equal(second[:, 0], x[60:])
    assert engine.memory.control["underrun_frames"] == 4
    assert engine.memory.control["ended"] == 0


def test_end_frame_of_the_source_is_exact(engine: Engine) -> None:
    engine.write_source(white(100)[None], last=True)
    pull(engine, 64)
    assert engine.memory.control["ended"] == 0
    pull(engine, 64)
    assert engine.memory.control["ended"] == 1
    assert engine.memory.control["end_frame"] == 100
    pull(engine, 64)
    assert engine.memory.control["end_frame"] == 100
    assert engine.memory.control["underrun_frames"] == 0
    assert engine.memory.control["frames"] == 192


def test_driver_with_its_own_input_marks_the_end(engine: Engine) -> None:
    play(engine, white(77))
    engine.mark_source_ended()
    assert (engine.memory.control["ended"], engine.memory.control["end_frame"]) == (1, 77)


@pytest.mark.parametrize("channels", [1, 2])
def test_source_with_a_target_has_the_channels_of_dry_then_those_of_the_target(channels: int) -> None:
    with Engine(RATE, channels=channels, target="channel") as engine:
        x = np.stack([white(200, seed) for seed in range(2 * channels)])
        engine.write_source(x)
        pull(engine, 250)
        silence = np.zeros((channels, 50), np.float32)
        np.testing.assert_array_equal(signals(engine).dry, np.concatenate([x[:channels], silence], axis=1))
        np.testing.assert_array_equal(signals(engine).target, np.concatenate([x[channels:], silence], axis=1))
        assert engine.memory.control["underrun_frames"] == 50


def test_flush_crossfades_every_channel() -> None:
    old, new = stereo(1000), stereo(1000, seed=2)
    with Engine(RATE, channels=2) as engine:
        engine.set_monitor("dry")
        engine.write_source(old)
        pull(engine, 100)
        engine.write_source(new, flush=True)
        crossfaded = FADE * new[:, :960] + (1 - FADE) * np.pad(old[:, 100:], ((0, 0), (0, 60)))
        np.testing.assert_allclose(pull(engine, 960).T, crossfaded, atol=1e-6)
        np.testing.assert_array_equal(pull(engine, 40).T, new[:, 960:])


@pytest.mark.parametrize("rows", [1, 3, 4])
def test_source_with_other_channels_is_rejected(rows: int) -> None:
    with Engine(RATE, channels=2) as engine, pytest.raises(ValueError, match="does not fit 2 rows"):
        engine.write_source(np.zeros((rows, 100), np.float32))


@pytest.mark.parametrize("block", [64, 1000])
@pytest.mark.parametrize("start", [0, (1 << 17) - 2100])  # the ring wraps during the crossfade
def test_flush_crossfades_over_20_ms_and_skips_unread_frames(engine: Engine, block: int, start: int) -> None:
    engine.set_monitor("dry")
    old, new = white(2000), white(2000, seed=2)
    if start:
        engine.write_source(np.zeros((1, start), np.float32))
        pull(engine, start)
    engine.write_source(old[None])
    pull(engine, 100)
    engine.write_source(new[None], flush=True)
    assert not engine.is_flushed
    assert engine.source_read_frame == start + 100
    output = np.concatenate([pull(engine, frames)[:, 0] for frames in [block] * (960 // block) or [960]])
    assert engine.is_flushed
    assert engine.source_read_frame == start + 2960
    np.testing.assert_allclose(output, FADE * new[:960] + (1 - FADE) * old[100:1060], atol=1e-6)
    np.testing.assert_array_equal(pull(engine, 1040)[:, 0], new[960:])
    assert engine.memory.control["underrun_frames"] == 0


def test_flush_with_an_origin_continues_in_time_with_its_trims(engine: Engine) -> None:
    engine.set_monitor("dry")
    old, new = white(4000), white(4000, seed=2)
    engine.write_source(old[None])
    pull(engine, 100)
    engine.set_trims(dry_db=-6.0, target_db=0.0, with_flush=True)
    np.testing.assert_array_equal(pull(engine, 200)[:, 0], old[100:300])  # not yet
    engine.write_source(new[None], flush=True, origin=100)  # 200 frames of it have been played meanwhile
    half = 10 ** (-6 / 20)
    crossfaded = FADE * half * new[200:1160] + (1 - FADE) * old[300:1260]
    np.testing.assert_allclose(pull(engine, 960)[:, 0], crossfaded, atol=1e-6)
    np.testing.assert_allclose(pull(engine, 100)[:, 0], half * new[1160:1260], atol=1e-7)


def test_flush_of_an_empty_ring_fades_in_and_moves_the_end(engine: Engine) -> None:
    engine.set_monitor("dry")
    engine.write_source(white(100)[None], last=True)
    pull(engine, 64)
    engine.write_source(np.ones((1, 200), np.float32), flush=True)
    output = pull(engine, 64)[:, 0]
    np.testing.assert_allclose(output[36:], FADE[36:64], atol=1e-6)
    assert engine.memory.control["ended"] == 0
    engine.write_source(np.ones((1, 10), np.float32), flush=True, last=True)
    pull(engine, 64)
    assert engine.memory.control["ended"] == 1
    assert engine.memory.control["end_frame"] == 64 + 64 + 10


def test_write_beyond_the_source_space_is_rejected(engine: Engine) -> None:
    engine.write_source(np.zeros((1, engine.source_capacity - 10), np.float32))
    assert engine.source_space == 10
    with pytest.raises(ValueError, match="11 frames do not fit into the 10"):
        engine.write_source(np.zeros((1, 11), np.float32))
    pull(engine, 64)
    assert engine.source_space == 74


# The callback


def call(engine: Engine, device_input: Signal | None, frames: int, status: int = 0, period_at_s: float = 1.0) -> Signal:
    """Call the compiled callback like PortAudio."""
    times_s = (ctypes.c_double * 3)(period_at_s - 0.005, period_at_s, period_at_s + 0.005)
    prototype = ctypes.CFUNCTYPE(
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_ulong,
        ctypes.c_void_p,
        ctypes.c_ulong,
        ctypes.c_void_p,
    )
    out = np.full((frames, engine.out_channels), np.nan, np.float32)
    input_address = None if device_input is None else device_input.ctypes.data
    callback = prototype(engine.callback_address)
    assert callback(input_address, out.ctypes.data, frames, times_s, status, engine.userdata_address) == 0
    return out


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_microphone_is_its_first_channel(channels: int) -> None:
    device = white(channels * 256).reshape(256, channels)
    with Engine(RATE, in_channels=channels) as engine, Engine(RATE) as direct:
        expected = play(direct, device[:, 0])
        np.testing.assert_array_equal(call(engine, device, 256), expected)


@pytest.mark.parametrize(("dry", "target"), [(1, 2), (2, 1), (4, 3)])
def test_any_two_input_channels_are_dry_and_target(dry: int, target: int) -> None:
    device = white(1024).reshape(256, 4)
    with Engine(RATE, target="channel", in_channels=4, dry_channels=(dry,), target_channels=(target,)) as engine:
        call(engine, device, 256)
        np.testing.assert_array_equal(signals(engine).dry[0], device[:, dry - 1])
        np.testing.assert_array_equal(signals(engine).target[0], device[:, target - 1])


@pytest.mark.parametrize(("dry", "target"), [((1, 2), (3, 4)), ((4, 1), (2, 2))])
def test_any_input_channels_are_the_channels_of_dry_and_target(dry: tuple[int, int], target: tuple[int, int]) -> None:
    device = white(1024).reshape(256, 4)
    with Engine(RATE, channels=2, target="channel", in_channels=4, dry_channels=dry, target_channels=target) as engine:
        call(engine, device, 256)
        np.testing.assert_array_equal(signals(engine).dry, device.T[np.array(dry) - 1])
        np.testing.assert_array_equal(signals(engine).target, device.T[np.array(target) - 1])


def test_returned_stereo_input_is_the_target_and_the_stereo_source_is_dry() -> None:
    device, x = white(768).reshape(256, 3), stereo(200, seed=2)
    with Engine(RATE, channels=2, target="return", in_channels=3, target_channels=(3, 1)) as engine:
        engine.write_source(x)
        output = call(engine, device, 256)
        np.testing.assert_array_equal(signals(engine).target, device.T[[2, 0]])
        np.testing.assert_array_equal(signals(engine).dry[:, :200], x)
        np.testing.assert_array_equal(output[:200].T, x)
        assert not output[200:].any()


def test_monitor_signal_goes_only_to_the_selected_output() -> None:
    x = white(256)
    with Engine(RATE, in_channels=1, out_channels=3, output_channels=(3,)) as engine, Engine(RATE) as direct:
        output = call(engine, x, 256)
        np.testing.assert_array_equal(output[:, 2], play(direct, x)[:, 0])
        assert np.all(output[:, :2] == 0.0)


def test_returned_input_is_the_target_and_the_source_is_dry() -> None:
    device, x = white(512).reshape(256, 2), white(200, seed=2)
    with Engine(RATE, target="return", in_channels=2) as engine:
        engine.write_source(x[None])
        output = call(engine, device, 256)
        played = np.concatenate([x, np.zeros(56, np.float32)])
        np.testing.assert_array_equal(signals(engine).dry[0], played)
        np.testing.assert_array_equal(signals(engine).target[0], device[:, 0])
        np.testing.assert_array_equal(output[:, 0], played)
        assert engine.memory.control["underrun_frames"] == 56


@pytest.mark.parametrize("target", ["reference", "channel"])
def test_source_is_the_input_without_a_device_input(target: Target) -> None:
    with Engine(RATE, target=target) as engine, Engine(RATE, target=target) as direct:
        pair = np.stack([white(256), white(256, seed=2)])
        engine.write_source(pair if target == "channel" else pair[:1])
        np.testing.assert_array_equal(call(engine, None, 256), play(direct, pair[0], pair[1]))


@pytest.mark.parametrize(("status", "xruns"), [(0, 0), (1, 1), (2, 1), (4, 1), (8, 1), (15, 1), (16, 0)])
def test_xrun_flags_are_counted_once_per_block(engine: Engine, status: int, xruns: int) -> None:
    call(engine, None, 64, status)
    assert engine.memory.control["xruns"] == xruns


def test_late_period_is_one_xrun_for_any_number_of_blocks(engine: Engine) -> None:
    for period_at_s in (1.0, 2.0, 3.0):
        for _ in range(4):
            call(engine, None, 64, status=4, period_at_s=period_at_s)
    assert engine.memory.control["xruns"] == 3


# Real-time safety


def enable_all_effects(engine: Engine) -> None:
    engine.reference.set(gain_db=-3.0, polarity=-1, phase_deg=37.0, delay_ms=5.003, noise_dbfs=-60.0)
    engine.reference.set_automation(np.array([0, 10**6]), np.array([0.0, -20.0]))
    engine.memory.control["matched_gain"], engine.memory.control["matched_delay_frames"] = 0.5, 240.14
    engine.reference.set_equalizer(EQUALIZER)
    engine.memory.control.publish_equalizer(EQUALIZER.coefficients(RATE))
    engine.set_monitor("difference")


def test_kernel_contains_no_call_of_an_allocator() -> None:
    fresh = numba.njit(nogil=True, error_model="numpy")(process_block.py_func)  # type: ignore[attr-defined]
    fresh.compile(process_block.signatures[0])  # type: ignore[attr-defined]
    code = fresh.inspect_llvm(fresh.signatures[0])
    splitmix64_constant = str(0x9E3779B97F4A7C15 - 2**64)
    assert splitmix64_constant in code, "not the code of the whole kernel"
    assert "NRT_Allocate" not in code
    assert "NRT_MemInfo_alloc" not in code


@pytest.mark.parametrize("channels", [1, 2])
def test_callback_allocates_nothing(channels: int) -> None:
    with Engine(RATE, channels=channels) as engine:
        enable_all_effects(engine)
        call(engine, None, 64)
        _nrt_python.memsys_enable_stats()
        try:
            before = rtsys.get_allocation_stats()
            for _ in range(100):
                call(engine, None, 64)
            assert rtsys.get_allocation_stats() == before
        finally:
            _nrt_python.memsys_disable_stats()


@pytest.mark.parametrize("prepare", [lambda engine: None, enable_all_effects])
def test_a_block_takes_less_than_a_tenth_of_its_time(engine: Engine, prepare: object) -> None:
    prepare(engine)  # type: ignore[operator]
    x, out = white(64)[None], np.zeros((64, 2), np.float32)
    durations = []
    for _ in range(500):
        start = time.perf_counter()
        engine.process(x, None, out)
        durations.append(time.perf_counter() - start)
    assert np.median(durations) < 0.1 * 64 / RATE


def test_filters_decay_to_zero_instead_of_denormal_numbers(engine: Engine) -> None:
    enable_all_effects(engine)
    engine.reference.set(noise_dbfs=-np.inf)
    play(engine, white(4800))
    play(engine, np.zeros(10 * RATE, np.float32))
    reference, matched = engine._state["reference_path"]["channels"], engine._state["matched_path"]
    delays = (path["delay"]["heads"]["past"] for path in (reference, matched))
    equalizers = reference["equalizer"]["past"], matched["equalizer"]["past"]
    for past in (reference["quadrature"]["past"], *delays, *equalizers):
        assert np.all(past == 0.0)
