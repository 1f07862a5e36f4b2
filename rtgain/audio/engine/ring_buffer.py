"""Lock-free ring buffer with one writer and any number of readers.

The writer never waits: if the ring is full, it overwrites the oldest frames. A reader whose frames were overwritten
gets an `OverrunError`. Frames are counted from 0 in 64 bits, and the count never wraps.

Every row is stored twice, one copy behind the other, so that any window up to the capacity is one
contiguous slice:

    capacity 4, frames 0..5 written:    | 4 5 2 3 | 4 5 2 3 |
    the newest window, frames 2..5:         └─────────┘

Two counters precede the samples. The writer increases `reserved` before it writes frames and `written` after.
A reader's copy is valid if, *after* the copy, `reserved` is at most one capacity past the first frame copied
(a sequence lock, Lameter 2005; memory orders as in Boehm 2012, "Can seqlocks get along with programming language
memory models?").
"""

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rtgain.audio.jit import fence, load_acquire, load_counter, realtime_jit, store_release

HEADER_BYTES = 64
"""Size of the two counters and of the padding that keeps them off the cache lines of the samples."""

WRITTEN_OFFSET = 8
"""Offset in bytes of the counter `written` in the header; `reserved` is at 0."""


class OverrunError(Exception):
    """Requested frames were overwritten before or during a read. `oldest_frame` is the first readable frame."""

    def __init__(self, start: int, oldest_frame: int) -> None:
        super().__init__(f"frame {start} was overwritten; the oldest readable frame is {oldest_frame}")
        self.oldest_frame = oldest_frame


class RingBuffer:
    """Ring buffer of `rows` signals and `capacity` frames over the memory `buffer`, which the caller owns.

    A ring over zeroed memory is empty. Rings over the same memory, in any process, share their frames.
    Only one thread may write. The dtype may be any of fixed size (float32, float64).

    Raises `ValueError` if the capacity is not a power of two or the buffer is too small.
    """

    def __init__(self, buffer: memoryview, rows: int, capacity: int, dtype: DTypeLike) -> None:
        if capacity < 1 or capacity & (capacity - 1):
            raise ValueError(f"capacity must be a power of two, not {capacity}")
        if len(buffer) < self.nbytes(rows, capacity, dtype):
            raise ValueError(f"{len(buffer)} bytes cannot hold {rows} rows of {capacity} frames")
        self.rows = rows
        self.capacity = capacity
        self._samples: NDArray[np.floating] = np.ndarray(
            (rows, 2 * capacity), dtype, buffer=buffer, offset=HEADER_BYTES
        )
        self.address: int = self._samples.ctypes.data - HEADER_BYTES

    @staticmethod
    def nbytes(rows: int, capacity: int, dtype: DTypeLike) -> int:
        """Return the size in bytes of a ring buffer."""
        return HEADER_BYTES + rows * 2 * capacity * np.dtype(dtype).itemsize

    @property
    def frames_written(self) -> int:
        """Frames written so far; the newest frame is `frames_written - 1`."""
        return load_counter(self.address + WRITTEN_OFFSET)

    @property
    def oldest_frame(self) -> int:
        """The oldest frame that is readable now."""
        return max(0, load_counter(self.address) - self.capacity)

    def write(self, block: NDArray[np.floating]) -> None:
        """Append `block`, shape (rows, frames), and overwrite the oldest frames if the ring is full.

        Raises `ValueError` if the block is longer than the capacity or has a different number of rows.
        """
        rows, frames = block.shape
        if rows != self.rows or frames > self.capacity:
            raise ValueError(f"a block of shape {block.shape} does not fit {self.rows} rows of {self.capacity}")
        start = reserve(self.address, frames)
        slot = start % self.capacity
        before_wrap = min(frames, self.capacity - slot)
        mirror = slot + self.capacity
        self._samples[:, slot : slot + frames] = block
        self._samples[:, mirror : mirror + before_wrap] = block[:, :before_wrap]
        self._samples[:, : frames - before_wrap] = block[:, before_wrap:]
        publish(self.address, start + frames)

    def read(self, start: int, frames: int) -> NDArray[np.floating]:
        """Return a copy of `frames` frames from frame `start`, shape (rows, frames).

        Raises `OverrunError` if any of them was overwritten before or during the copy, and
        `ValueError` if any has not been written yet or `start` is negative.
        """
        if start < 0 or frames < 0 or start + frames > self.frames_written:
            raise ValueError(f"frames {start} to {start + frames} are not among the {self.frames_written} written")
        if frames > self.capacity:
            raise OverrunError(start, self.oldest_frame)
        slot = start % self.capacity
        window = self._samples[:, slot : slot + frames].copy()
        oldest_frame = max(0, load_acquire_after_fence(self.address) - self.capacity)
        if start < oldest_frame:
            raise OverrunError(start, oldest_frame)
        return window

    def release(self) -> None:
        """Release the memory so that its owner can close it. The ring must not be used afterwards."""
        del self._samples


@realtime_jit
def load_acquire_after_fence(address: int) -> int:
    fence()
    return load_acquire(address)


@realtime_jit
def reserve(address: int, frames: int) -> int:
    """Announce that `frames` frames will be written. Returns the first of these frames."""
    start = load_acquire(address + WRITTEN_OFFSET)
    store_release(address, start + frames)
    fence()
    return start


@realtime_jit
def publish(address: int, written: int) -> None:
    """Make all frames before frame `written` readable."""
    store_release(address + WRITTEN_OFFSET, written)


@realtime_jit
def store_row(row: NDArray[np.float32], capacity: int, start: int, values: NDArray[np.float64], frames: int) -> None:
    """Store values[:frames] in both copies of one row (2 · capacity samples) as the frames from `start` on."""
    slot = start & (capacity - 1)
    before_wrap = min(frames, capacity - slot)
    for i in range(frames):
        row[slot + i] = values[i]
    for i in range(before_wrap):
        row[slot + capacity + i] = values[i]
    for i in range(before_wrap, frames):
        row[slot - capacity + i] = values[i]
