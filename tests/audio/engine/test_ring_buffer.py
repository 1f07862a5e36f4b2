"""Ring buffer: every window is read completely or raises an error."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtgain.audio.engine.ring_buffer import HEADER_BYTES, OverrunError, RingBuffer, publish, reserve, store_row
from rtgain.audio.jit import load_acquire, realtime_jit


def make_ring(rows: int = 1, capacity: int = 8, dtype: type = np.float32, written: int = 0) -> RingBuffer:
    memory = bytearray(RingBuffer.nbytes(rows, capacity, dtype))
    np.frombuffer(memory, np.int64)[:2] = written
    return RingBuffer(memoryview(memory), rows, capacity, dtype)


def numbered(start: int, frames: int, rows: int = 1) -> NDArray[np.float64]:
    """Create frames with their own number as value, plus 0.25 per row."""
    return np.arange(start, start + frames) + 0.25 * np.arange(rows)[:, None]


@settings(deadline=None)  # the first example may wait for the compiler
@given(st.lists(st.integers(0, 8), max_size=20), st.data())
def test_every_readable_window_reads_as_written(blocks: list[int], data: st.DataObject) -> None:
    ring = make_ring(rows=2, dtype=np.float64)
    for frames in blocks:
        ring.write(numbered(ring.frames_written, frames, rows=2))
    assert ring.frames_written == sum(blocks)
    assert ring.oldest_frame == max(0, ring.frames_written - 8)
    start = data.draw(st.integers(ring.oldest_frame, ring.frames_written))
    frames = data.draw(st.integers(0, ring.frames_written - start))
    np.testing.assert_array_equal(ring.read(start, frames), numbered(start, frames, rows=2))


def test_overrun_reports_the_oldest_readable_frame() -> None:
    ring = make_ring()
    for start in range(0, 12, 4):
        ring.write(numbered(start, 4))
    with pytest.raises(OverrunError) as overrun:
        ring.read(3, 2)
    assert overrun.value.oldest_frame == 4
    np.testing.assert_array_equal(ring.read(4, 8), numbered(4, 8))


def test_frames_that_are_being_overwritten_cannot_be_read() -> None:
    ring = make_ring()
    ring.write(numbered(0, 8))
    reserve(ring.address, 3)
    assert ring.frames_written == 8
    with pytest.raises(OverrunError) as overrun:
        ring.read(2, 4)
    assert overrun.value.oldest_frame == 3
    np.testing.assert_array_equal(ring.read(3, 5), numbered(3, 5))


@pytest.mark.parametrize(("start", "frames"), [(0, 5), (4, 1), (-1, 1), (0, -1), (100, 0)])
def test_unwritten_frames_cannot_be_read(start: int, frames: int) -> None:
    ring = make_ring()
    ring.write(numbered(0, 4))
    with pytest.raises(ValueError, match="not among the 4 written"):
        ring.read(start, frames)


def test_window_longer_than_the_ring_is_an_overrun() -> None:
    ring = make_ring()
    ring.write(numbered(0, 8))
    ring.write(numbered(8, 8))
    with pytest.raises(OverrunError):
        ring.read(4, 9)


def test_frame_numbers_exceed_32_and_53_bits() -> None:
    for first in (2**32 - 3, 2**53 + 1):
        ring = make_ring(written=first)
        ring.write(np.arange(6.0)[None])
        assert ring.frames_written == first + 6
        np.testing.assert_array_equal(ring.read(first + 1, 5), [[1, 2, 3, 4, 5]])


def test_two_rings_over_one_memory_share_their_frames() -> None:
    memory = memoryview(bytearray(RingBuffer.nbytes(1, 8, np.float32)))
    writer, reader = RingBuffer(memory, 1, 8, np.float32), RingBuffer(memory, 1, 8, np.float32)
    writer.write(numbered(0, 5))
    np.testing.assert_array_equal(reader.read(1, 4), numbered(1, 4))


def test_block_that_does_not_fit_is_rejected() -> None:
    ring = make_ring()
    with pytest.raises(ValueError, match="does not fit"):
        ring.write(np.zeros((1, 9)))
    with pytest.raises(ValueError, match="does not fit"):
        ring.write(np.zeros((2, 1)))
    assert ring.frames_written == 0


def test_a_ring_needs_a_power_of_two_and_enough_memory() -> None:
    with pytest.raises(ValueError, match="power of two"):
        RingBuffer(memoryview(bytearray(1000)), 1, 12, np.float32)
    with pytest.raises(ValueError, match="cannot hold"):
        RingBuffer(memoryview(bytearray(HEADER_BYTES + 63)), 1, 8, np.float32)


@realtime_jit
def write_until_stopped(
    address: int, row: NDArray[np.float64], capacity: int, scratch: NDArray[np.float64], stop_address: int
) -> None:
    block = 0
    while load_acquire(stop_address) == 0:
        block += 1
        frames = 1 + block % len(scratch)
        start = reserve(address, frames)
        for i in range(frames):
            scratch[i] = start + i
        store_row(row, capacity, start, scratch, frames)
        publish(address, start + frames)


def test_read_during_writing_is_valid_or_an_overrun_but_never_torn() -> None:
    """A compiled writer without the GIL wraps around the ring about every hundred microseconds."""
    capacity, window_frames = 2**16, 512
    memory = memoryview(bytearray(RingBuffer.nbytes(1, capacity, np.float64)))
    ring = RingBuffer(memory, 1, capacity, np.float64)
    row = np.frombuffer(memory, np.float64, offset=HEADER_BYTES)
    ring.write(numbered(0, capacity))
    stop = np.zeros(1, np.int64)
    writer = threading.Thread(
        target=write_until_stopped, args=(ring.address, row, capacity, np.empty(64), stop.ctypes.data)
    )
    writer.start()
    valid, overruns = 0, 0
    try:
        while valid < 500 or overruns < 50:
            newest = ring.frames_written - window_frames
            for start in (newest, newest - capacity + 2 * window_frames):
                try:
                    window = ring.read(start, window_frames)
                except OverrunError:
                    overruns += 1
                else:
                    valid += 1
                    np.testing.assert_array_equal(window, numbered(start, window_frames))
    finally:
        stop[0] = 1
        writer.join()
