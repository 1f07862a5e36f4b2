"""The block of shared memory that joins the audio callback, the session and the estimator's process.

It holds a control record (`CONTROL`), the audio ring and the rings of what the estimator says. Every field of the
control record has one writer and eight aligned bytes, so it is read and written without a lock.
"""

import math
import os
import sys
import threading
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.engine.ring_buffer import RingBuffer
from rtgain.audio.engine.shm_cleanup import hold, random_block_name, remove_stale_blocks
from rtgain.errors import RtgainError

AUDIO_ROWS = DRY, TARGET, MATCHED, GAIN = 0, 1, 2, 3
"""Rows of the audio ring, float32. GAIN is |reference gain| (linear) of the dry frame, NaN where unknown."""

AUDIO_S = 10.0
"""The audio ring holds at least this much …"""

AUDIO_FRAMES_MAX = 1 << 20
"""… but no more than this, 32 MiB: containers come with 64 MiB of shared memory."""

ESTIMATE_ROWS = 14
"""Rows of the estimates ring, float64: the fields of an estimate. What they mean is `rtgain.estimation`'s."""

ESTIMATE_CAPACITY = 8192

COMPARISON_ROWS = ESTIMATE_ROWS + 1
"""Rows of the rivals' ring, float64: the key of the race's entry, then an estimate."""

COMPARISON_CAPACITY = 2048

CURVES_ROWS = 248
"""Rows of the curves' ring, float64: loss against gain."""

CURVES_CAPACITY = 8

CONTROL = np.dtype(
    [
        # The header, written once by the creator.
        ("sample_rate", "i8"),
        ("audio_capacity", "i8"),
        # Written by the audio side.
        ("frames", "i8"),  # frames processed; the same as audio.written
        ("xruns", "i8"),  # blocks that the device or the clock says were late
        ("underrun_frames", "i8"),  # frames of silence played because the source ring was empty
        ("invalid_frames", "i8"),  # input frames replaced by 0: NaN, infinite or absurdly loud
        ("clipped_frames", "i8"),  # input frames at or beyond full scale
        ("ended", "i8"),  # 1 once the source has ended,
        ("end_frame", "i8"),  # at this frame
        # Written by the estimator's process.
        ("match_gain", "f8"),  # signed, linear
        ("match_delay_frames", "f8"),
        ("dry_lufs", "f8"),  # momentary loudness, NaN where not known
        ("target_lufs", "f8"),
        ("matched_lufs", "f8"),
        ("difference_lufs", "f8"),
    ]
)

LOUDNESS = ("dry_lufs", "target_lufs", "matched_lufs", "difference_lufs")
"""Fields of the control record that hold the loudness of what is metered (`metered_signals`)."""


class ControlRecord:
    """The control record by field name: ``control["frames"]``. It keeps no memory alive."""

    def __init__(self, record: NDArray[Any]) -> None:
        self._record = record

    def __getitem__(self, field: str) -> Any:
        return self._record[field].item()

    def __setitem__(self, field: str, value: float) -> None:
        self._record[field] = value

    @property
    def address(self) -> int:
        """Where the record lies, for compiled code."""
        return self._record.ctypes.data

    def release(self) -> None:
        """Let go of the memory. The record is of no use afterwards."""
        del self._record


class EngineSharedMemory:
    """Control record, audio ring (4 rows float32) and the estimator's rings (float64) in one shared block.

    Make it with `create` in the session's process, and with `attach` (by `name`) in any other. The
    creator's `close` removes the block; a process that attached only lets go of it. The names are
    unguessable and the memory is the user's own (mode 0600). Nothing may run on it after `close`.
    """

    def __init__(self, shared: SharedMemory, *, owner: bool) -> None:
        self._shared: SharedMemory | None = shared
        self._owner = owner
        self.name = shared.name
        buffer = _buffer(shared)
        self.control = ControlRecord(np.ndarray((), CONTROL, buffer=buffer))
        audio_capacity = self.control["audio_capacity"]
        self.audio = RingBuffer(buffer[_AUDIO_OFFSET:], len(AUDIO_ROWS), audio_capacity, np.float32)
        end = _AUDIO_OFFSET + RingBuffer.nbytes(len(AUDIO_ROWS), audio_capacity, np.float32)
        rings = []
        for rows, capacity in _FLOAT64_RINGS:
            rings.append(RingBuffer(buffer[end:], rows, capacity, np.float64))
            end += RingBuffer.nbytes(rows, capacity, np.float64)
        self.estimates, self.comparisons, self.curves = rings

    @classmethod
    def create(cls, sample_rate: int) -> Self:
        """A new block for audio at `sample_rate` Hz: rings empty, match_gain 1, loudness NaN, everything else 0.

        Raises `RtgainError` when the system has too little shared memory left.
        """
        capacity = min(1 << (math.ceil(AUDIO_S * sample_rate) - 1).bit_length(), AUDIO_FRAMES_MAX)
        size = _AUDIO_OFFSET + RingBuffer.nbytes(len(AUDIO_ROWS), capacity, np.float32)
        size += sum(RingBuffer.nbytes(*ring, np.float64) for ring in _FLOAT64_RINGS)
        remove_stale_blocks()
        shared = _new_block(size)
        try:
            _prefault_pages(shared, size)
        except OSError as error:
            shared.close()
            shared.unlink()
            raise RtgainError(
                f"no shared memory left for {size / 2**20:.0f} MiB ({error.strerror}); "
                "free some in /dev/shm, or give the container more (docker run --shm-size=256m)"
            ) from None
        control = np.ndarray((), CONTROL, buffer=_buffer(shared))
        control["sample_rate"] = sample_rate
        control["audio_capacity"] = capacity
        control["match_gain"] = 1.0
        for field in LOUDNESS:
            control[field] = math.nan
        del control
        return cls(shared, owner=True)

    @classmethod
    def attach(cls, name: str) -> Self:
        """The block that any process created and none closed. Raises `FileNotFoundError` when it is gone."""
        return cls(_attach(name), owner=False)

    def close(self) -> None:
        """Let go of the memory; the creator also removes the block. Idempotent."""
        if self._shared is None:
            return
        self.control.release()
        for ring in (self.audio, self.estimates, self.comparisons, self.curves):
            ring.release()
        self._shared.close()
        if self._owner:
            try:
                self._shared.unlink()
            except FileNotFoundError:  # somebody has tidied up /dev/shm; nothing was lost by that
                resource_tracker.unregister(self._shared._name, "shared_memory")  # type: ignore[attr-defined]
        self._shared = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_AUDIO_OFFSET = 128
"""The control record has this much room."""

_FLOAT64_RINGS = (
    (ESTIMATE_ROWS, ESTIMATE_CAPACITY),
    (COMPARISON_ROWS, COMPARISON_CAPACITY),
    (CURVES_ROWS, CURVES_CAPACITY),
)


def _buffer(shared: SharedMemory) -> memoryview:
    assert shared.buf is not None  # it is, until the block is closed
    return shared.buf


def _new_block(size: int) -> SharedMemory:
    """A block under a name that cannot be guessed, held so that nobody takes it for left behind."""
    while True:
        shared = SharedMemory(random_block_name(), create=True, size=size)
        if hold(_descriptor(shared)):
            return shared
        shared.close()
        resource_tracker.unregister(shared._name, "shared_memory")  # type: ignore[attr-defined]


def _descriptor(shared: SharedMemory) -> int:
    descriptor: int = getattr(shared, "_fd", -1)  # Windows has none
    return descriptor


def _prefault_pages(shared: SharedMemory, size: int) -> None:
    """Have the system give the memory now: a callback must not wait for it, and lack of it kills (SIGBUS)."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(_descriptor(shared), 0, size)
    np.frombuffer(_buffer(shared), np.uint8)[:] = 0


_tracker_lock = threading.Lock()


def _attach(name: str) -> SharedMemory:
    """Attach without the resource tracker: it would remove the creator's block when *this* process ends."""
    if sys.version_info >= (3, 13):
        return SharedMemory(name, track=False)
    with _tracker_lock:
        register = resource_tracker.register
        resource_tracker.register = lambda *_: None
        try:
            return SharedMemory(name)
        finally:
            resource_tracker.register = register
