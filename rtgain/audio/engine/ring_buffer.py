"""A ring that one writer fills and any number of readers copy from, without a lock.

The writer never waits: when the ring is full it overwrites the oldest frames, and a reader that
was overtaken is told so. Frames are counted in 64 bits from 0 and never wrap.

Every row is stored twice, one copy behind the other, so that any window up to the capacity is one
contiguous slice:

    capacity 4, frames 0..5 written:    | 4 5 2 3 | 4 5 2 3 |
    the newest window, frames 2..5:         └─────────┘

Two counters stand before the samples. `reserved` is raised before frames are written and `written`
after, so what a reader copied is whole exactly if, *after* the copy, `reserved` has not reached one
capacity past the first frame copied (a sequence lock, Lameter 2005; orders as in Boehm 2012,
"Can seqlocks get along with programming language memory models?").
"""

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rtgain.audio.jit import fence, load_acquire, load_counter, realtime_jit, store_release

HEADER_BYTES = 64
"""The two counters, and padding that keeps them off the samples' cache lines."""

WRITTEN = 8
"""Offset of `written` in the header, in bytes; `reserved` is at 0."""


class OverrunError(Exception):
    """The frames asked for are gone: the writer overwrote them. `oldest` is the first one that is left."""

    def __init__(self, start: int, oldest: int) -> None:
        super().__init__(f"frame {start} has been overwritten; the oldest left is {oldest}")
        self.oldest_frame = oldest


class RingBuffer:
    """`rows` signals of `capacity` frames over the memory `buffer`, which the caller owns.

    A ring over zeroed memory is empty; a ring over memory that another ring (of any process) has
    written sees its frames. One thread writes. The dtype is any of fixed size (float32, float64).

    Raises `ValueError` when the capacity is no power of two or the buffer is too small.
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
        """Bytes of memory that such a ring takes."""
        return HEADER_BYTES + rows * 2 * capacity * np.dtype(dtype).itemsize

    @property
    def frames_written(self) -> int:
        """Frames written so far; the newest is `written - 1`."""
        return load_counter(self.address + WRITTEN)

    @property
    def oldest_frame(self) -> int:
        """The oldest frame that can be read now."""
        return max(0, load_counter(self.address) - self.capacity)

    def write(self, block: NDArray[np.floating]) -> None:
        """Append `block`, shape (rows, frames), over the oldest frames when the ring is full.

        Raises `ValueError` for a block longer than the capacity or with another number of rows.
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
        """A copy of `frames` frames from frame `start`, shape (rows, frames).

        Raises `OverrunError` when any of them was overwritten, before or during the copy, and
        `ValueError` when any was not written yet (or `start` is negative).
        """
        if start < 0 or frames < 0 or start + frames > self.frames_written:
            raise ValueError(f"frames {start} to {start + frames} are not among the {self.frames_written} written")
        if frames > self.capacity:
            raise OverrunError(start, self.oldest_frame)
        slot = start % self.capacity
        window = self._samples[:, slot : slot + frames].copy()
        oldest = max(0, load_acquire_after_fence(self.address) - self.capacity)
        if start < oldest:
            raise OverrunError(start, oldest)
        return window

    def release(self) -> None:
        """Let go of the memory, so that its owner can close it. The ring is of no use afterwards."""
        del self._samples


@realtime_jit
def load_acquire_after_fence(address: int) -> int:
    fence()
    return load_acquire(address)


@realtime_jit
def reserve(address: int, frames: int) -> int:
    """Announce that `frames` frames are about to be written; the frame that they start at."""
    start = load_acquire(address + WRITTEN)
    store_release(address, start + frames)
    fence()
    return start


@realtime_jit
def publish(address: int, written: int) -> None:
    """Let readers have everything before frame `written`."""
    store_release(address + WRITTEN, written)


@realtime_jit
def store_row(row: NDArray[np.float32], capacity: int, start: int, values: NDArray[np.float64], frames: int) -> None:
    """Put values[:frames] into one row (both copies of it, 2 · capacity samples) as frames `start` and on."""
    slot = start & (capacity - 1)
    before_wrap = min(frames, capacity - slot)
    for i in range(frames):
        row[slot + i] = values[i]
    for i in range(before_wrap):
        row[slot + capacity + i] = values[i]
    for i in range(before_wrap, frames):
        row[slot - capacity + i] = values[i]
