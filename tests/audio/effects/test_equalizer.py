"""Equalizer of the kernel: scipy's filters, ramps without clicks, and sets that are never used half-written."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtgain.audio.effects.equalizer import EQUALIZER_PARAMETERS, publish_coefficients
from rtgain.audio.effects.matched_path import MatchedPath
from rtgain.audio.effects.reference_path import ReferencePath
from rtgain.audio.jit import store_counter
from rtgain.config.names import MAX_FILTERS, FilterKind
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters

RATE = 48_000
RAMP_FRAMES = 960

BASS = EqualizerFilters(0.0, (EqualizerFilter("low_shelf", 100.0, 12.0, 0.7),))
SIX = EqualizerFilters(
    0.0,
    (
        EqualizerFilter("low_shelf", 105.0, 6.4, 0.7),
        EqualizerFilter("peak", 250.0, -7.0, 1.5),
        EqualizerFilter("peak", 800.0, 5.0, 4.0),
        EqualizerFilter("peak", 2200.0, -9.0, 0.5),
        EqualizerFilter("peak", 5500.0, 8.0, 2.0),
        EqualizerFilter("high_shelf", 9000.0, -6.0, 0.7),
    ),
)


def white(frames: int) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(1).standard_normal(frames)).astype(np.float32)


def scipys(equalizer: EqualizerFilters, x: NDArray[np.float32]) -> NDArray[np.float64]:
    filtered = x.astype(np.float64)
    for b0, b1, b2, a1, a2 in equalizer.coefficients(RATE):
        filtered = scipy.signal.lfilter([b0, b1, b2], [1.0, a1, a2], filtered)
    return filtered


class MonoMatchedPath(MatchedPath):
    """Matched path of one channel with gain 1 and no delay."""

    def __init__(self, equalizer: EqualizerFilters | None = None) -> None:
        super().__init__(RATE)
        if equalizer is not None:
            self.use(equalizer)

    def use(self, equalizer: EqualizerFilters) -> None:
        self.set_equalizer(equalizer.coefficients(RATE))

    def filter(self, x: NDArray[np.float32], blocks: Sequence[int] = (10**9,)) -> NDArray[np.float32]:
        parts, start, index = [], 0, 0
        while start < len(x):
            block = x[start : start + blocks[index % len(blocks)]]
            parts.append(self.process(block[None], gains=[1.0], delays_frames=[0.0])[0])
            start, index = start + len(block), index + 1
        return np.concatenate(parts)


def test_filters_equal_scipys() -> None:
    x = white(4000)
    np.testing.assert_allclose(MonoMatchedPath(SIX).filter(x), scipys(SIX, x), atol=1e-7)


def test_reference_path_filters_after_the_gain_and_before_the_delay() -> None:
    path = ReferencePath()
    path.prepare(RATE)
    path.set(gain_db=-6.0, delay_ms=1.0)
    path.set_equalizer(EqualizerFilters(-2.0, SIX.filters))
    x = white(4000)
    dry, target, gain = path.process(x[None])
    np.testing.assert_array_equal(dry[0], x)
    np.testing.assert_allclose(target[0, 48:], 10 ** (-8 / 20) * scipys(SIX, x)[:-48], atol=1e-7)
    np.testing.assert_allclose(gain, 10 ** (-8 / 20), rtol=1e-6)


def test_automated_gain_contains_that_of_the_equalizer() -> None:
    path = ReferencePath()
    path.prepare(RATE)
    path.set_automation(np.array([0]), np.array([-3.0]))
    path.set_equalizer(EqualizerFilters(-2.0))
    _, target, gain = path.process(np.ones((1, 100), np.float32))
    np.testing.assert_allclose([*target[0], *gain], 10 ** (-5 / 20), rtol=1e-6)


def test_an_equalizer_without_effect_does_not_change_a_bit() -> None:
    x = white(1000)
    x[100:110] = -0.0
    flat = EqualizerFilters(0.0, (EqualizerFilter("peak", 1000.0, 0.0, 1.0),))
    np.testing.assert_array_equal(MonoMatchedPath(flat).filter(x).view(np.int32), x.view(np.int32))


def test_a_removed_equalizer_leaves_no_trace_after_its_ramp() -> None:
    path, x = MonoMatchedPath(SIX), white(6000)
    x[4000:4100] = -0.0
    path.filter(x[:2000])
    path.use(EqualizerFilters())
    assert np.abs(path.filter(x[2000:3500]) - x[2000:3500]).max() > 0.001
    np.testing.assert_array_equal(path.filter(x[3500:]).view(np.int32), x[3500:].view(np.int32))


def test_new_filters_are_reached_in_twenty_milliseconds() -> None:
    """After the ramp, only the decaying past of the filters differs from one that has always run."""
    path, x = MonoMatchedPath(EqualizerFilters()), white(RATE)
    path.filter(x[:1000])
    path.use(SIX)
    changed = np.concatenate([x[:1000], path.filter(x[1000:])])
    np.testing.assert_allclose(changed[-10_000:], scipys(SIX, x)[-10_000:], atol=1e-7)
    assert np.abs(changed[1000:1100] - x[1000:1100]).max() < 0.05  # the ramp has only begun


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_block_sizes_do_not_change_a_bit(blocks: list[int]) -> None:
    def filtered(sizes: Sequence[int]) -> bytes:
        path, x = MonoMatchedPath(SIX), white(2500)
        x[1200:1300] = -0.0
        parts = [path.filter(x, sizes)]
        path.use(EqualizerFilters())
        parts.append(path.filter(x, sizes))
        path.use(BASS)
        parts.append(path.filter(x, sizes))
        path.use(SIX)
        parts.append(path.filter(x, sizes))
        return np.concatenate(parts).tobytes()

    assert filtered(blocks) == filtered([2500])


@pytest.mark.parametrize("kind", ["low_shelf", "peak", "high_shelf"])
@pytest.mark.parametrize("hz", [100.0, 1000.0])
def test_sudden_large_changes_do_not_click(kind: FilterKind, hz: float) -> None:
    """A click is broadband: far above a sine there is next to nothing, in contrast to a switch without a ramp."""
    x = (0.1 * np.cos(2 * np.pi * hz / RATE * np.arange(4 * 9600))).astype(np.float32)
    highpass = scipy.signal.butter(8, max(20 * hz, 4000.0), "high", fs=RATE, output="sos")
    path, ramped, switched = MonoMatchedPath(EqualizerFilters()), [], []
    for start, gain_db in zip(range(0, len(x), 9600), (0.0, 12.0, -12.0, 12.0), strict=True):
        equalizer = EqualizerFilters(0.0, (EqualizerFilter(kind, hz, gain_db, 0.7),))
        path.use(equalizer)
        ramped.append(path.filter(x[start : start + 9600]))
        switched.append(scipys(equalizer, x)[start : start + 9600])
    loudest = 0.1 * np.abs(equalizer.response(np.array([hz]), RATE)[0])
    clicks = [np.abs(scipy.signal.sosfilt(highpass, np.concatenate(y))[2000:]).max() for y in (ramped, switched)]
    assert np.abs(np.concatenate(ramped)).max() < 1.5 * loudest
    assert clicks[0] < 10 ** (-55 / 20) * loudest
    assert clicks[1] > 10 ** (-45 / 20) * loudest


def test_a_filter_that_is_dragged_through_0_db_leaves_the_others_alone() -> None:
    """At 0 dB it has no effect, but the filters behind it do not move to other rows: they would ramp meanwhile."""
    x = (0.1 * np.cos(2 * np.pi * 3000 / RATE * np.arange(40 * 480))).astype(np.float32)
    path, parts = MonoMatchedPath(SIX), []
    for start, gain_db in zip(range(0, len(x), 480), [*np.arange(-5.0, 5.0, 0.5), *[0.0, 1.0] * 10], strict=True):
        dragged = EqualizerFilter("low_shelf", 100.0, gain_db, 0.7)
        path.use(EqualizerFilters(0.0, (dragged, *SIX.filters[1:])))
        parts.append(path.filter(x[start : start + 480]))
    periods = np.abs(np.concatenate(parts)[1920:]).reshape(-1, 16).max(1)  # of the tone, which the shelf does not reach
    assert 20 * np.log10(periods.max() / periods.min()) < 0.05


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_filters_stay_stable_while_they_change_without_pause(seed: int) -> None:
    """New random filters every 5 ms, long before a ramp ends. Their gains bound the output."""
    random, path, x, loudest = np.random.default_rng(seed), MonoMatchedPath(), white(240), 0.0
    for _ in range(60):
        filters = tuple(
            EqualizerFilter(kind, random.uniform(20, 20_000), random.uniform(-18, 18), random.uniform(0.37, 4))
            for kind in ("low_shelf", "peak", "peak", "high_shelf")
        )
        path.use(EqualizerFilters(0.0, filters))
        loudest = max(loudest, float(np.abs(path.filter(x)).max()))
    assert loudest < np.abs(x).max() * 10 ** (4 * 18 / 20)


def test_invalid_and_unfinished_sets_keep_the_last_filters() -> None:
    x = white(3000)
    expected = MonoMatchedPath(SIX).filter(x)
    for row in ([np.nan, 0, 0, 0, 0], [1, 0, 0, 0, 1.0], [1, 0, 0, 2.1, 0.99], [np.inf, 0, 0, 0, 0]):
        path = MonoMatchedPath(SIX)
        first = path.filter(x[:1000])
        path.set_equalizer(np.array([row]))
        np.testing.assert_array_equal(np.concatenate([first, path.filter(x[1000:])]), expected)
    path = MonoMatchedPath(SIX)
    first = path.filter(x[:1000])
    parameters = path._equalizer
    parameters["coefficients"] = 0.5
    store_counter(parameters.ctypes.data, int(parameters["sequence"][0]) + 1)  # as a writer that was killed
    np.testing.assert_array_equal(np.concatenate([first, path.filter(x[1000:])]), expected)
    path.use(BASS)  # the next writer completes it
    np.testing.assert_allclose(path.filter(white(2 * RATE))[-100:], scipys(BASS, white(2 * RATE))[-100:], atol=1e-6)


def test_a_half_written_set_is_never_used() -> None:
    """Every set has equal gains in all filters; a mixture of two sets would have another total gain."""
    path, stop = MatchedPath(RATE), threading.Event()
    sets = [np.tile([gain, 0.0, 0.0, 0.0, 0.0], (MAX_FILTERS, 1)) for gain in (2.0 ** (1 / 8), 2.0 ** (-1 / 8))]

    def write() -> None:
        while not stop.is_set():
            for coefficients in sets:
                path.set_equalizer(coefficients)

    path.set_equalizer(sets[0])
    writer = threading.Thread(target=write)
    writer.start()
    try:
        changes, blocks, last = 0, 0, 0.0
        while changes <= 10 or blocks < 3000:  # the writer may get its first turn late
            blocks += 1
            path.process(np.ones((1, 64), np.float32), gains=[1.0], delays_frames=[0.0])
            gains = path._states[0]["equalizer"]["target"][0, :, 0]
            assert np.all(gains == gains[0])
            changes, last = changes + (gains[0] != last), gains[0]
    finally:
        stop.set()
        writer.join()


def test_a_set_of_no_filters_is_all_zeros() -> None:
    parameters = np.zeros(1, EQUALIZER_PARAMETERS)
    publish_coefficients(parameters.ctypes.data, np.empty((0, 5)))
    assert (parameters["sequence"][0], parameters["filters"][0]) == (2, 0)
