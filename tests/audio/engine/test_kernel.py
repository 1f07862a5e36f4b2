"""The kernel: what it writes, what it counts, and that neither block size nor driver changes a bit."""

import ctypes
import time
from collections.abc import Iterator, Sequence

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core.runtime import _nrt_python, rtsys
from numpy.typing import NDArray

from rtgain.audio.effects.matched_path import MatchedPath
from rtgain.audio.engine.engine import Engine, Target
from rtgain.audio.engine.kernel import process_block
from rtgain.audio.engine.shared_memory import DRY, MATCHED, REFERENCE_GAIN, TARGET

RATE = 48000

Signal = NDArray[np.float32]


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(RATE) as engine:
        yield engine


def white(frames: int, seed: int = 1) -> Signal:
    return (0.1 * np.random.default_rng(seed).standard_normal(frames)).astype(np.float32)


def play(engine: Engine, in0: Signal, in1: Signal | None = None, blocks: Sequence[int] | None = None) -> Signal:
    """Process in0 (and in1), cut into `blocks`, which repeat until all is done; what was heard."""
    out = np.full((len(in0), engine.out_channels), np.nan, np.float32)
    position, turn = 0, 0
    blocks = blocks or [len(in0)]
    while position < len(in0):
        end = min(len(in0), position + blocks[turn % len(blocks)])
        engine.process(in0[position:end], None if in1 is None else in1[position:end], out[position:end])
        position, turn = end, turn + 1
    return out


def rows(engine: Engine) -> NDArray[np.floating]:
    """All frames that the audio ring holds, shape (4, frames)."""
    ring = engine.memory.audio
    return ring.read(ring.oldest_frame, ring.frames_written - ring.oldest_frame)


# What a block becomes


def test_the_four_rows_are_the_four_signals(engine: Engine) -> None:
    engine.reference.set(gain_db=-6.0, polarity=-1)
    engine.memory.control["matched_gain"] = -0.5
    engine.memory.control["matched_delay_frames"] = 3.0
    x = white(1000)
    play(engine, x)
    signals = rows(engine)
    gain = 10 ** (-6 / 20)
    np.testing.assert_array_equal(signals[DRY], x)
    np.testing.assert_array_equal(signals[TARGET], (-gain * x.astype(np.float64)).astype(np.float32))
    np.testing.assert_array_equal(signals[MATCHED], np.concatenate([np.zeros(3, np.float32), -0.5 * x[:-3]]))
    np.testing.assert_array_equal(signals[REFERENCE_GAIN], np.float32(gain))


def test_frames_are_counted_once_for_all(engine: Engine) -> None:
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
def test_what_is_heard_is_what_was_chosen(engine: Engine, name: str, weights: tuple[int, int, int]) -> None:
    engine.reference.set(gain_db=-3.0)
    engine.memory.control["matched_gain"] = 0.5
    engine.set_monitor(name)
    heard = play(engine, white(1000))
    expected = np.asarray(weights) @ rows(engine)[[DRY, TARGET, MATCHED]].astype(np.float64)
    np.testing.assert_allclose(heard[:, 0], expected, atol=1e-8)
    np.testing.assert_array_equal(heard[:, 0], heard[:, 1])


def test_the_target_is_heard_unless_it_is_to_return_from_outside(engine: Engine) -> None:
    x = white(100)
    play(engine, x)
    np.testing.assert_array_equal(play(engine, x)[:, 0], rows(engine)[TARGET, 100:])
    with Engine(RATE, target="return", in_channels=1) as returning:
        np.testing.assert_array_equal(play(returning, x, white(100, seed=2))[:, 0], x)


def test_a_switch_of_what_is_heard_crossfades_in_twenty_milliseconds(engine: Engine) -> None:
    engine.reference.set(gain_db=-120.0)
    engine.set_monitor("dry")
    ones = np.full(960, 0.5, np.float32)
    play(engine, ones)
    engine.set_monitor("mute")
    np.testing.assert_allclose(play(engine, ones)[:, 0], 0.5 - 0.5 * np.arange(1, 961) / 960, atol=1e-7)
    assert np.all(play(engine, ones) == 0.0)


def test_only_what_exists_can_be_heard(engine: Engine) -> None:
    with pytest.raises(ValueError, match="'wet' is not a monitor signal; choose from dry, target, matched"):
        engine.set_monitor("wet")


def test_the_output_never_leaves_full_scale_but_the_rings_do(engine: Engine) -> None:
    engine.reference.set(gain_db=40.0)
    heard = play(engine, np.array([0.5, -0.5, 0.001], np.float32))
    np.testing.assert_allclose(heard[:, 0], [1.0, -1.0, 0.1], rtol=1e-6)
    np.testing.assert_allclose(rows(engine)[TARGET], [50.0, -50.0, 0.1], rtol=1e-6)


def test_an_outside_target_is_taken_as_it_is(engine: Engine) -> None:
    for target in ("channel", "return"):
        with Engine(RATE, target=target, in_channels=2) as outside:
            x, y = white(300), white(300, seed=2)
            play(outside, x, y)
            np.testing.assert_array_equal(rows(outside)[[DRY, TARGET]], [x, y])
            assert np.all(np.isnan(rows(outside)[REFERENCE_GAIN]))


def test_a_block_with_too_little_input_is_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="as many frames of input"):
        engine.process(white(63), None, np.zeros((64, 2), np.float32))


# What it counts


def test_samples_that_are_no_signal_become_silence_and_are_counted(engine: Engine) -> None:
    engine.reference.set(gain_db=0.0, phase_deg=37.0, delay_ms=1.23)
    x = white(2000)
    x[[5, 600, 601, 1999]] = np.nan, np.inf, -np.inf, 3e38
    heard = play(engine, x)
    assert engine.memory.control["invalid_frames"] == 4
    assert np.all(np.isfinite(heard))
    assert np.all(np.isfinite(rows(engine)))


def test_samples_at_full_scale_are_counted_as_clipped(engine: Engine) -> None:
    play(engine, np.array([0.999, 1.0, -1.0, 1.5, 0.0], np.float32))
    assert engine.memory.control["clipped_frames"] == 3


@pytest.mark.parametrize("blocks", [[64], [256], [2000, 17]])
def test_an_xrun_on_purpose_is_twenty_silent_milliseconds_counted_once_and_in_no_ring(
    engine: Engine, blocks: list[int]
) -> None:
    engine.reference.set(gain_db=0.0)
    x = np.full(4000, 0.25, np.float32)
    before = play(engine, x[:2000], blocks=blocks)
    engine.simulate_xrun()
    heard = np.concatenate([before, play(engine, x[2000:], blocks=blocks)])[:, 0]
    gap = slice(2000, 2000 + RATE // 50)
    np.testing.assert_array_equal(heard[gap], 0.0)
    assert np.all(np.delete(heard[480:], np.arange(4000)[gap] - 480) != 0.0)
    np.testing.assert_array_equal(rows(engine)[DRY], x)
    assert engine.memory.control["xruns"] == 1


@pytest.mark.parametrize("nonsense", [np.nan, np.inf, -1e9])
def test_an_estimate_that_is_no_number_is_not_believed(engine: Engine, nonsense: float) -> None:
    engine.memory.control["matched_gain"] = 0.5
    play(engine, white(100))
    engine.memory.control["matched_gain"] = nonsense
    engine.memory.control["matched_delay_frames"] = np.nan
    x = white(100, seed=2)
    play(engine, x)
    np.testing.assert_array_equal(rows(engine)[MATCHED, 100:], 0.5 * x)


# The same bits


def perform(blocks: Sequence[int]) -> tuple[bytes, bytes]:
    """A session in which everything is on and everything changes, every 3000 frames."""
    with Engine(RATE, seed=7) as engine:
        control = engine.memory.control
        engine.reference.set(gain_db=-6.0, phase_deg=37.0, delay_ms=5.003, noise_dbfs=-50.0)
        control["matched_gain"], control["matched_delay_frames"] = 0.4, 240.14
        heard = [play(engine, white(3000, seed=1), blocks=blocks)]
        engine.reference.set(gain_db=-3.0, polarity=-1, phase_deg=0.0, delay_ms=1.0)
        engine.set_monitor("difference")
        negative_zeros = white(3000, seed=2)
        negative_zeros[900:1100] = -0.0  # where fades end; their sign is the first bit that carelessness loses
        heard.append(play(engine, negative_zeros, blocks=blocks))
        engine.reference.set_automation(np.array([0, 7000, 7000, 8000]), np.array([0.0, -9.0, -1.0, -2.0]))
        engine.reference.set(phase_deg=90.0, delay_ms=0.03, noise_dbfs=-np.inf)
        control["matched_gain"], control["matched_delay_frames"] = -0.3, 48.0
        heard.append(play(engine, white(3000, seed=3), blocks=blocks))
        engine.reference.set_automation(None)
        engine.reference.set(gain_db=0.0, polarity=1, phase_deg=0.0, delay_ms=0.0)
        engine.set_monitor("matched")
        heard.append(play(engine, np.zeros(3000, np.float32), blocks=blocks))
        return rows(engine).tobytes(), np.concatenate(heard).tobytes()


@pytest.mark.parametrize("blocks", [[1], [63], [64], [480], [4096], [0, 5, 333]])
def test_the_block_size_does_not_change_a_bit(blocks: list[int]) -> None:
    assert perform(blocks) == perform([3000])


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=8).filter(any))
def test_no_way_to_cut_blocks_changes_a_bit(blocks: list[int]) -> None:
    assert perform(blocks) == perform([3000])


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    def noise(seed: int) -> bytes:
        with Engine(RATE, seed=seed) as engine:
            engine.reference.set(noise_dbfs=-20.0)
            return play(engine, np.zeros(500, np.float32)).tobytes()

    assert noise(1) == noise(1) != noise(2)


def test_what_is_matched_afterwards_is_what_the_kernel_matches(engine: Engine) -> None:
    """With the same estimates at the same frames: the two are one function."""
    engine.reference.set(phase_deg=37.0)
    control = engine.memory.control
    matcher, matched = MatchedPath(RATE), []
    for gain, delay_frames in [(0.5, 0.0), (-0.25, 12.34), (-0.26, 12.3), (0.0, 480.0)]:
        control["matched_gain"], control["matched_delay_frames"] = gain, delay_frames
        start = engine.memory.audio.frames_written
        play(engine, white(1500), blocks=[64])
        dry = engine.memory.audio.read(start, 1500)[DRY].astype(np.float32)
        matched.append(matcher.process(dry, gain=gain, delay_frames=delay_frames))
    np.testing.assert_array_equal(np.concatenate(matched), rows(engine)[MATCHED])


# The source ring


def pull(engine: Engine, frames: int) -> Signal:
    out = np.full((frames, engine.out_channels), np.nan, np.float32)
    engine.process_source(out)
    return out


def test_the_source_ring_gives_what_direct_input_gives(engine: Engine) -> None:
    x = white(5 * engine.source_capacity // 2)
    with Engine(RATE) as direct:
        expected = play(direct, x)
    heard, written = [], 0
    while written < len(x):
        block = x[None, written : written + engine.source_space]
        engine.write_source(block, last=written + block.shape[1] == len(x))
        written += block.shape[1]
        heard.append(pull(engine, min(30011, len(x) - sum(map(len, heard)))))
    while sum(map(len, heard)) < len(x):
        heard.append(pull(engine, min(30011, len(x) - sum(map(len, heard)))))
    np.testing.assert_array_equal(np.concatenate(heard), expected)
    assert engine.memory.control["underrun_frames"] == 0


def test_an_empty_source_ring_plays_silence_and_loses_nothing(engine: Engine) -> None:
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


def test_the_end_of_the_source_is_told_to_the_frame(engine: Engine) -> None:
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


def test_a_driver_that_brings_the_input_itself_tells_the_end(engine: Engine) -> None:
    play(engine, white(77))
    engine.mark_source_ended()
    assert (engine.memory.control["ended"], engine.memory.control["end_frame"]) == (1, 77)


def test_a_two_channel_source_is_dry_and_target() -> None:
    with Engine(RATE, target="channel") as engine:
        pair = np.stack([white(200), white(200, seed=2)])
        engine.write_source(pair)
        pull(engine, 200)
        np.testing.assert_array_equal(rows(engine)[[DRY, TARGET]], pair)


def test_a_cut_fades_over_one_block_and_passes_over_what_was_left(engine: Engine) -> None:
    engine.set_monitor("dry")
    old, new = white(1000), white(1000, seed=2)
    engine.write_source(old[None])
    pull(engine, 100)
    engine.write_source(new[None], flush=True)
    assert engine.source_read_frame == 100
    heard = pull(engine, 64)[:, 0]
    assert engine.source_read_frame == 1064
    share = np.arange(1, 65) / 65
    np.testing.assert_allclose(heard, share * new[:64] + (1 - share) * old[100:164], atol=1e-6)
    np.testing.assert_array_equal(pull(engine, 936)[:, 0], new[64:])
    assert engine.memory.control["underrun_frames"] == 0


def test_a_cut_where_nothing_was_left_fades_in_and_the_source_s_end_moves(engine: Engine) -> None:
    engine.set_monitor("dry")
    engine.write_source(white(100)[None], last=True)
    pull(engine, 64)
    engine.write_source(np.ones((1, 200), np.float32), flush=True)
    heard = pull(engine, 64)[:, 0]
    share = np.arange(1, 65) / 65
    np.testing.assert_allclose(heard[36:], share[36:], atol=1e-6)
    assert engine.memory.control["ended"] == 0
    engine.write_source(np.ones((1, 10), np.float32), flush=True, last=True)
    pull(engine, 64)
    assert engine.memory.control["ended"] == 1
    assert engine.memory.control["end_frame"] == 64 + 64 + 10


def test_more_than_the_source_ring_takes_is_refused(engine: Engine) -> None:
    engine.write_source(np.zeros((1, engine.source_capacity - 10), np.float32))
    assert engine.source_space == 10
    with pytest.raises(ValueError, match="11 frames do not fit into the 10"):
        engine.write_source(np.zeros((1, 11), np.float32))
    pull(engine, 64)
    assert engine.source_space == 74


# The callback


def call(engine: Engine, device_input: Signal | None, frames: int, status: int = 0, period_at_s: float = 1.0) -> Signal:
    """Call the compiled callback as PortAudio does."""
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
    given = None if device_input is None else device_input.ctypes.data
    callback = prototype(engine.callback_address)
    assert callback(given, out.ctypes.data, frames, times_s, status, engine.userdata_address) == 0
    return out


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_a_microphone_is_heard_on_its_first_channel(channels: int) -> None:
    device = white(channels * 256).reshape(256, channels)
    with Engine(RATE, in_channels=channels) as engine, Engine(RATE) as direct:
        expected = play(direct, device[:, 0])
        np.testing.assert_array_equal(call(engine, device, 256), expected)


@pytest.mark.parametrize(("dry", "target"), [(1, 2), (2, 1), (4, 3)])
def test_any_two_input_channels_are_dry_and_target(dry: int, target: int) -> None:
    device = white(1024).reshape(256, 4)
    with Engine(RATE, target="channel", in_channels=4, dry_channel=dry, target_channel=target) as engine:
        call(engine, device, 256)
        np.testing.assert_array_equal(rows(engine)[[DRY, TARGET]], device[:, [dry - 1, target - 1]].T)


def test_what_is_heard_goes_to_the_output_that_was_chosen_and_to_no_other() -> None:
    x = white(256)
    with Engine(RATE, in_channels=1, out_channels=3, output_channel=3) as engine, Engine(RATE) as direct:
        heard = call(engine, x, 256)
        np.testing.assert_array_equal(heard[:, 2], play(direct, x)[:, 0])
        assert np.all(heard[:, :2] == 0.0)


def test_what_returns_is_the_target_of_what_is_played() -> None:
    device, x = white(512).reshape(256, 2), white(200, seed=2)
    with Engine(RATE, target="return", in_channels=2) as engine:
        engine.write_source(x[None])
        heard = call(engine, device, 256)
        played = np.concatenate([x, np.zeros(56, np.float32)])
        np.testing.assert_array_equal(rows(engine)[[DRY, TARGET]], [played, device[:, 0]])
        np.testing.assert_array_equal(heard[:, 0], played)
        assert engine.memory.control["underrun_frames"] == 56


@pytest.mark.parametrize("target", ["reference", "channel"])
def test_without_a_device_input_the_source_is_played(target: Target) -> None:
    with Engine(RATE, target=target) as engine, Engine(RATE, target=target) as direct:
        pair = np.stack([white(256), white(256, seed=2)])
        engine.write_source(pair)
        np.testing.assert_array_equal(call(engine, None, 256), play(direct, pair[0], pair[1]))


@pytest.mark.parametrize(("status", "xruns"), [(0, 0), (1, 1), (2, 1), (4, 1), (8, 1), (15, 1), (16, 0)])
def test_the_devices_complaints_are_counted_once_a_block(engine: Engine, status: int, xruns: int) -> None:
    call(engine, None, 64, status)
    assert engine.memory.control["xruns"] == xruns


def test_a_period_that_was_late_is_one_xrun_however_many_blocks_it_is_cut_into(engine: Engine) -> None:
    for period_at_s in (1.0, 2.0, 3.0):
        for _ in range(4):
            call(engine, None, 64, status=4, period_at_s=period_at_s)
    assert engine.memory.control["xruns"] == 3


# Fit for the callback


def everything_on(engine: Engine) -> None:
    engine.reference.set(gain_db=-3.0, polarity=-1, phase_deg=37.0, delay_ms=5.003, noise_dbfs=-60.0)
    engine.reference.set_automation(np.array([0, 10**6]), np.array([0.0, -20.0]))
    engine.memory.control["matched_gain"], engine.memory.control["matched_delay_frames"] = 0.5, 240.14
    engine.set_monitor("difference")


def test_the_kernel_holds_no_call_to_an_allocator() -> None:
    fresh = numba.njit(nogil=True, error_model="numpy")(process_block.py_func)  # type: ignore[attr-defined]
    fresh.compile(process_block.signatures[0])  # type: ignore[attr-defined]
    code = fresh.inspect_llvm(fresh.signatures[0])
    splitmix64_constant = str(0x9E3779B97F4A7C15 - 2**64)
    assert splitmix64_constant in code, "this is not the code of the whole kernel"
    assert "NRT_Allocate" not in code
    assert "NRT_MemInfo_alloc" not in code


def test_the_callback_allocates_nothing(engine: Engine) -> None:
    everything_on(engine)
    call(engine, None, 64)
    _nrt_python.memsys_enable_stats()
    try:
        before = rtsys.get_allocation_stats()
        for _ in range(100):
            call(engine, None, 64)
        assert rtsys.get_allocation_stats() == before
    finally:
        _nrt_python.memsys_disable_stats()


@pytest.mark.parametrize("prepare", [lambda engine: None, everything_on])
def test_a_block_takes_less_than_a_tenth_of_its_time(engine: Engine, prepare: object) -> None:
    prepare(engine)  # type: ignore[operator]
    x, out = white(64), np.zeros((64, 2), np.float32)
    durations = []
    for _ in range(500):
        start = time.perf_counter()
        engine.process(x, None, out)
        durations.append(time.perf_counter() - start)
    assert np.median(durations) < 0.1 * 64 / RATE


def test_filters_fall_silent_instead_of_ringing_on_in_slow_denormal_numbers(engine: Engine) -> None:
    everything_on(engine)
    engine.reference.set(noise_dbfs=-np.inf)
    play(engine, white(4800))
    play(engine, np.zeros(10 * RATE, np.float32))
    reference, matched = engine._state["reference_path"], engine._state["matched_path"]
    delays = (path["delay"]["heads"]["past"] for path in (reference, matched))
    for past in (reference["quadrature"]["past"], *delays):
        assert np.all(past == 0.0)
