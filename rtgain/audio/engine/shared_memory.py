"""Layout of the shared-memory block of the audio callback, the session and the estimator process.

The block contains a control record (`CONTROL`), the audio ring and the rings of the estimator's results. Every number
of the control record has one writer and eight aligned bytes, so it is read and written without a lock. The numbers of
the learned equalizer belong together: they have a sequence number (`rtgain.audio.effects.equalizer`).
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

from rtgain.audio.effects.equalizer import EQUALIZER_PARAMETERS, publish_coefficients
from rtgain.audio.engine.audio_ring import AudioRing, audio_rows
from rtgain.audio.engine.ring_buffer import RingBuffer
from rtgain.audio.engine.shm_cleanup import lock_shared, random_block_name, remove_stale_blocks
from rtgain.config.names import MAX_CHANNELS
from rtgain.errors import RtgainError
from rtgain.records.estimate import estimate_rows
from rtgain.records.learned_equalizer import LEARNED_EQUALIZER_ROWS
from rtgain.records.levels import LOUDNESS_NAMES, METERED_SIGNALS

AUDIO_S = 10.0
"""Minimum duration of the audio ring, up to `MAX_AUDIO_FRAMES`."""

MAX_AUDIO_FRAMES = 1 << 20
"""Maximum length of the audio ring (32 MiB for one channel)."""

MAX_AUDIO_BYTES = 52_500_000
"""Size in bytes above which the audio ring is shorter, down to `MIN_AUDIO_S`: containers have 64 MiB by default."""

MIN_AUDIO_S = 2.5
"""Duration that a shorter audio ring still has: the estimator's delay search reads 2 s."""

ESTIMATE_CAPACITY = 8192

COMPARISON_CAPACITY = 2048

CURVES_ROWS = 248
"""Rows of the curves ring, float64: loss as a function of gain (`rtgain.records.loss_curves.LossCurves`)."""

CURVES_CAPACITY = 8

RESPONSE_ROWS = 144
"""Rows of the responses ring, float64: the live response by frequency (`rtgain.records.response.Response`)."""
EQUALIZERS_CAPACITY = 64
"""Columns of the ring of learned equalizers: six seconds."""

LOUDNESS_FIELDS = {signal: tuple(f"{signal}_{name}" for name in LOUDNESS_NAMES) for signal in METERED_SIGNALS}
"""Fields of the control record with the numbers of `rtgain.records.levels.Loudness`, by metered signal."""

CONTROL = np.dtype(
    [
        # Header, written once by the creator.
        ("sample_rate", "i8"),
        ("channels", "i8"),
        ("audio_capacity", "i8"),
        # Written by the audio side.
        ("frames", "i8"),  # frames processed; equal to audio.frames_written
        ("xruns", "i8"),  # late blocks, as reported by the device or the timer
        ("underrun_frames", "i8"),  # frames of silence because the source ring was empty
        ("invalid_frames", "i8"),  # input samples replaced by 0: NaN, infinite or beyond +120 dBFS
        ("clipped_frames", "i8"),  # samples of device inputs at full scale; files are not counted
        ("ended", "i8"),  # 1 after the end of the source
        ("end_frame", "i8"),  # value of `frames` at the end of the source
        # Written by the estimator process.
        ("matched_gain", "f8", (MAX_CHANNELS,)),  # per channel: signed, linear
        ("matched_delay_frames", "f8", (MAX_CHANNELS,)),
        *((f"equalizer_{name}", *description) for name, *description in EQUALIZER_PARAMETERS.descr),
        *((field, "f8") for fields in LOUDNESS_FIELDS.values() for field in fields),  # NaN if unknown
    ]
)


EQUALIZER_OFFSET = int(CONTROL.fields["equalizer_sequence"][1])  # type: ignore[index]
"""Offset in bytes of the learned equalizer in the control record, a record of `EQUALIZER_PARAMETERS`."""


class ControlRecord:
    """Control record with access by field name: ``control["frames"]``. It does not keep the memory alive.

    Fields with one value per channel are read as an array, shape (channels,). They are set to one, or to one number
    for all channels.
    """

    def __init__(self, record: NDArray[Any]) -> None:
        self._record = record

    def __getitem__(self, field: str) -> Any:
        value = self._record[field]
        return value[: self._record["channels"]].copy() if value.ndim else value.item()

    def __setitem__(self, field: str, value: Any) -> None:
        if self._record[field].ndim:
            self._record[field][: self._record["channels"]] = value
        else:
            self._record[field] = value

    @property
    def address(self) -> int:
        """Address of the record, for compiled code."""
        return self._record.ctypes.data

    def publish_equalizer(self, coefficients: NDArray[np.float64]) -> None:
        """Replace the filters of the matched signal by `coefficients`, ``(filters, 5)``; no rows for none."""
        publish_coefficients(self.address + EQUALIZER_OFFSET, coefficients)

    def release(self) -> None:
        """Release the memory. The record must not be used afterwards."""
        del self._record


class EngineSharedMemory:
    """Control record, audio ring (float32) and the estimator's rings (float64) in one shared block.

    The session's process calls `create`; other processes call `attach` with its `name`. `close` releases the memory,
    and in the creator it also removes the block. Names are unguessable, and only the user can open a block (mode 0600).
    No thread may use the memory after `close`. `channels` is the number of channels of the audio ring.
    """

    def __init__(self, shared: SharedMemory, *, owner: bool) -> None:
        self._shared: SharedMemory | None = shared
        self._owner = owner
        self.name = shared.name
        buffer = _buffer(shared)
        self.control = ControlRecord(np.ndarray((), CONTROL, buffer=buffer))
        self.channels: int = self.control["channels"]
        audio_capacity = self.control["audio_capacity"]
        self.audio = AudioRing(buffer[_AUDIO_OFFSET:], self.channels, audio_capacity)
        end = _AUDIO_OFFSET + RingBuffer.nbytes(audio_rows(self.channels), audio_capacity, np.float32)
        rings = []
        for rows, capacity in _float64_rings(self.channels):
            rings.append(RingBuffer(buffer[end:], rows, capacity, np.float64))
            end += RingBuffer.nbytes(rows, capacity, np.float64)
        self.estimates, self.comparisons, self.curves, self.responses, self.equalizers = rings

    @classmethod
    def create(cls, sample_rate: int, channels: int = 1) -> Self:
        """Create a block for `channels` channels of audio at `sample_rate` Hz.

        The rings are empty, matched_gain is 1, the loudness NaN, and all else 0. There is no equalizer.

        Raises `RtgainError` if the system has too little free shared memory.
        """
        capacity = _audio_capacity(sample_rate, channels)
        size = _AUDIO_OFFSET + RingBuffer.nbytes(audio_rows(channels), capacity, np.float32)
        size += sum(RingBuffer.nbytes(*ring, np.float64) for ring in _float64_rings(channels))
        remove_stale_blocks()
        shared = _new_block(size)
        try:
            _prefault_pages(shared, size)
        except OSError as error:
            shared.close()
            shared.unlink()
            raise RtgainError(
                f"not enough shared memory for {size / 2**20:.0f} MiB ({error.strerror}); "
                "free some in /dev/shm, or give the container more (docker run --shm-size=256m)"
            ) from None
        control = np.ndarray((), CONTROL, buffer=_buffer(shared))
        control["sample_rate"] = sample_rate
        control["channels"] = channels
        control["audio_capacity"] = capacity
        control["matched_gain"] = 1.0
        for fields in LOUDNESS_FIELDS.values():
            for field in fields:
                control[field] = math.nan
        del control
        return cls(shared, owner=True)

    @classmethod
    def attach(cls, name: str) -> Self:
        """Attach to an existing block. Raises `FileNotFoundError` if it has been removed."""
        return cls(_attach(name), owner=False)

    def close(self) -> None:
        """Release the memory; the creator also removes the block. Idempotent."""
        if self._shared is None:
            return
        self.control.release()
        for ring in (self.audio, self.estimates, self.comparisons, self.curves, self.responses, self.equalizers):
            ring.release()
        self._shared.close()
        if self._owner:
            try:
                self._shared.unlink()
            except FileNotFoundError:  # removed by another program; harmless
                resource_tracker.unregister(self._shared._name, "shared_memory")  # type: ignore[attr-defined]
        self._shared = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_AUDIO_OFFSET = 2048
"""Offset in bytes of the audio ring: the space reserved for the control record."""


def _float64_rings(channels: int) -> tuple[tuple[int, int], ...]:
    """Return rows and capacity of the rings of estimates, comparisons, curves, responses and equalizers, float64.

    A column of the comparisons is the key of the comparison, followed by an estimate.
    """
    rows = estimate_rows(channels)
    return (
        (rows, ESTIMATE_CAPACITY),
        (1 + rows, COMPARISON_CAPACITY),
        (CURVES_ROWS, CURVES_CAPACITY),
        (RESPONSE_ROWS, CURVES_CAPACITY),
        (LEARNED_EQUALIZER_ROWS, EQUALIZERS_CAPACITY),
    )


def _audio_capacity(sample_rate: int, channels: int) -> int:
    """Return the length of the audio ring in frames, a power of two."""
    capacity = min(1 << (math.ceil(AUDIO_S * sample_rate) - 1).bit_length(), MAX_AUDIO_FRAMES)
    while (
        RingBuffer.nbytes(audio_rows(channels), capacity, np.float32) > MAX_AUDIO_BYTES
        and capacity // 2 >= MIN_AUDIO_S * sample_rate
    ):
        capacity //= 2
    return capacity


def _buffer(shared: SharedMemory) -> memoryview:
    assert shared.buf is not None  # never None before the block is closed
    return shared.buf


def _new_block(size: int) -> SharedMemory:
    """Create a block with an unguessable name and lock it, so that no other process considers it stale."""
    while True:
        shared = SharedMemory(random_block_name(), create=True, size=size)
        if lock_shared(_descriptor(shared)):
            return shared
        shared.close()
        resource_tracker.unregister(shared._name, "shared_memory")  # type: ignore[attr-defined]


def _descriptor(shared: SharedMemory) -> int:
    descriptor: int = getattr(shared, "_fd", -1)  # Windows has no descriptor
    return descriptor


def _prefault_pages(shared: SharedMemory, size: int) -> None:
    """Let the system allocate the memory now: a callback must not wait for pages, and a missing page raises SIGBUS."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(_descriptor(shared), 0, size)
    np.frombuffer(_buffer(shared), np.uint8)[:] = 0


_tracker_lock = threading.Lock()


def _attach(name: str) -> SharedMemory:
    """Attach without the resource tracker, which would remove the creator's block at the end of *this* process."""
    if sys.version_info >= (3, 13):
        return SharedMemory(name, track=False)
    with _tracker_lock:
        register = resource_tracker.register
        resource_tracker.register = lambda *_: None
        try:
            return SharedMemory(name)
        finally:
            resource_tracker.register = register
