"""Engine: the audio state of one session and its controls.

Drivers call it for every block, from their own thread or through the compiled callback. Other threads may use the
controls at the same time: each control is one aligned number that the next block reads.
"""

from types import TracebackType
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.effects.matched_path import init_matched_path
from rtgain.audio.effects.reference_path import ReferencePath
from rtgain.audio.engine.kernel import (
    CHANNEL_ROWS,
    END_UNKNOWN,
    MONITOR_MIXES,
    NO_ORIGIN,
    SOURCE_END_FRAME_OFFSET,
    SOURCE_FLUSH_FRAME_OFFSET,
    SOURCE_READ_FRAME_OFFSET,
    STATE,
    init_monitor,
    process_block,
    process_source,
)
from rtgain.audio.engine.ring_buffer import RingBuffer
from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.audio.jit import load_counter, store_counter
from rtgain.config.names import MAX_CHANNELS, Monitor, Target

DROPOUT_S = 0.02
"""Duration of a simulated xrun: a typical default block of a sound card."""

SOURCE_S = 2.0
"""Minimum duration of the source ring, up to `MAX_SOURCE_FRAMES`."""

MAX_SOURCE_FRAMES = 1 << 20
"""Maximum length of the source ring. Above 524 kHz this is less than `SOURCE_S`, down to 1.4 s."""

_NO_INPUT = np.zeros((0, 0), np.float32)


class Engine:
    """Audio of one session: computes target, matched signal and monitor output from the dry signal.

    `channels` is the number of channels of each of these signals, at most `MAX_CHANNELS`. `target` selects the source
    of the target: ``reference`` (computed from the dry signal), ``channel`` (other channels of the input) or
    ``return`` (a device's input, while the source is played).

    `in_channels` and `out_channels` are the numbers of channels of the device. `in_channels` is 0 without a device
    and if only the output of the device is used. Then, and for ``return``, the callback reads its input from the
    source ring. `dry_channels` and `target_channels` select inputs of the device, one per channel, counted from 1.

    `output_channels` selects the outputs that get the monitor signal, one per channel, also counted from 1; None
    selects the first outputs. If there are fewer outputs than channels, all get the mean of the channels. One channel
    is sent to all outputs. Outputs that are not selected are silent.

    Attributes: `memory` is shared with the estimator. `reference` is the reference path; any thread may set its
    parameters.

    Raises `RtgainError` if there is too little shared memory, and `ValueError` for channels that do not exist. Close
    the engine after its driver has stopped.
    """

    def __init__(
        self,
        sample_rate: int,
        *,
        channels: int = 1,
        seed: int = 0,
        target: Target = "reference",
        in_channels: int = 0,
        out_channels: int = 2,
        dry_channels: tuple[int, ...] = (1,),
        target_channels: tuple[int, ...] = (1,),
        output_channels: tuple[int, ...] | None = None,
    ) -> None:
        if not 1 <= channels <= MAX_CHANNELS:
            raise ValueError(f"an engine has 1 to {MAX_CHANNELS} channels, not {channels}")
        dry_from_source = in_channels == 0 or target == "return"
        target_is_input = target != "reference"
        if not dry_from_source:
            _check_inputs("dry", dry_channels, channels, in_channels)
        if in_channels > 0 and target_is_input:
            _check_inputs("target", target_channels, channels, in_channels)
        outputs = output_channels
        if outputs is None or out_channels == 0:
            outputs = tuple(range(1, min(out_channels, MAX_CHANNELS) + 1))
        if len(outputs) > MAX_CHANNELS or not all(1 <= output <= out_channels for output in outputs):
            raise ValueError(f"the monitor signal needs some of {out_channels} outputs, not {outputs}")
        self.sample_rate = sample_rate
        self.channels = channels
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.memory = EngineSharedMemory.create(sample_rate, channels)
        self.source_capacity = min(1 << (int(SOURCE_S * sample_rate) - 1).bit_length(), MAX_SOURCE_FRAMES)
        # np.zeros: pages are allocated when the prefetch thread first writes them.
        source_rows = 2 * channels if target_is_input and in_channels == 0 else channels
        buffer = np.zeros(RingBuffer.nbytes(source_rows, self.source_capacity, np.float32), np.uint8).data
        self._source = RingBuffer(buffer, source_rows, self.source_capacity, np.float32)

        self._state = state = np.zeros(1, STATE)
        self.reference = ReferencePath(channels=channels, seed=seed, state=state["reference_path"])
        self.reference.prepare(sample_rate)
        self._matched_delay_lines = [
            init_matched_path(state["matched_path"][:, channel], sample_rate) for channel in range(channels)
        ]
        init_monitor(state, sample_rate)
        state["channels"] = channels
        state["control"] = self.memory.control.address
        state["audio"] = self.memory.audio.address
        state["audio_capacity"] = self.memory.audio.capacity
        state["target_is_input"] = target_is_input
        state["source"] = self._source.address
        state["source_rows"] = source_rows
        state["source_capacity"] = self.source_capacity
        state["source_end_frame"] = END_UNKNOWN
        state["source_flush_origin"] = NO_ORIGIN
        state["dropout_frames"] = round(DROPOUT_S * sample_rate)
        state["in_channels"] = in_channels
        _fill(state["dry_inputs"][0], dry_channels)
        _fill(state["target_inputs"][0], target_channels)
        state["out_channels"] = out_channels
        state["mixes_down"] = channels == 1 or len(outputs) < channels
        state["output_count"] = len(outputs) if state["mixes_down"][0] else channels
        _fill(state["outputs"][0], outputs)
        state["dry_from_source"] = dry_from_source
        self.userdata_address: int = state.ctypes.data
        self.set_monitor("dry" if target == "return" else "target")

    # Audio, for drivers: one thread at a time.

    def process(
        self, dry_in: NDArray[np.float32], target_in: NDArray[np.float32] | None, out: NDArray[np.float32]
    ) -> None:
        """Process a block of the dry signal `dry_in`, and of the target `target_in` if that is an input.

        Both have the shape (channels, frames). `out`, shape (frames, out_channels), is filled with the monitor signal.
        All are float32, and `out` is C-contiguous. Raises `ValueError` for inputs of another shape.
        """
        shape = self.channels, len(out)
        if dry_in.shape != shape or (target_in is not None and target_in.shape != shape):
            raise ValueError(f"a block of {len(out)} frames needs as many frames of input on {self.channels} channels")
        second_in = _NO_INPUT if target_in is None else target_in
        process_block(self.userdata_address, dry_in, CHANNEL_ROWS, second_in, CHANNEL_ROWS, out)

    def process_source(self, out: NDArray[np.float32]) -> None:
        """Process one block of len(out) frames with input from the source ring, as in the callback."""
        process_source(self.userdata_address, _NO_INPUT, out)

    def mark_source_ended(self) -> None:
        """Mark the current frame as the end of the source, for drivers that call `process` with the source's input."""
        control = self.memory.control
        control["end_frame"] = control["frames"]
        control["ended"] = 1

    @property
    def callback_address(self) -> int:
        """C function pointer to the compiled PortAudio callback; its user data is `userdata_address`.

        The first access on a machine compiles for several seconds, so access it before the stream starts.
        """
        from rtgain.audio.engine.portaudio_callback import callback

        return cast(int, callback.address)

    # The source ring, for one prefetch thread.

    @property
    def source_space(self) -> int:
        """Frames that can be written to the source ring now without overwriting unread frames."""
        return self.source_capacity - (self._source.frames_written - self.source_read_frame)

    @property
    def source_read_frame(self) -> int:
        """Next frame of the source ring to read; all earlier frames were played or skipped."""
        return load_counter(self.userdata_address + SOURCE_READ_FRAME_OFFSET)

    @property
    def is_flushed(self) -> bool:
        """True if the crossfade of the last flush has been played."""
        flush_frame, end_frame = (
            load_counter(self.userdata_address + offset)
            for offset in (SOURCE_FLUSH_FRAME_OFFSET, SOURCE_END_FRAME_OFFSET)
        )
        fade_frames = int(self._state["crossfade_frames"][0]) if flush_frame else 0
        return self.source_read_frame >= min(flush_frame + fade_frames, end_frame)

    def write_source(
        self, block: NDArray[np.float32], *, last: bool = False, flush: bool = False, origin: int = NO_ORIGIN
    ) -> int:
        """Append `block`, shape (rows, frames), to the source ring. With `last` the source ends after it.

        The rows are the channels of the dry signal, followed by those of the target if it is an input and not the
        device's. With `flush` the unread frames of the ring are skipped and `block` is played next, after a crossfade
        of 20 ms. If `block` replaces the unread frames from ring frame `origin` on, playback continues in time:
        the frames that were played since then are skipped. Returns the ring frame at which `block` starts.

        Raises `ValueError` for more than `source_space` frames, and for another number of rows.
        """
        frames = block.shape[1]
        if frames > self.source_space:
            raise ValueError(f"{frames} frames do not fit into the {self.source_space} free frames")
        start = self._source.frames_written
        if last or flush:
            store_counter(self.userdata_address + SOURCE_END_FRAME_OFFSET, start + frames if last else END_UNKNOWN)
        self._source.write(block)
        if flush:
            self._state["source_flush_origin"] = origin
            store_counter(self.userdata_address + SOURCE_FLUSH_FRAME_OFFSET, start)
        return start

    # Controls, for any thread.

    def set_monitor(self, name: Monitor) -> None:
        """Set the monitor signal: dry, target, matched, difference or mute. The change is a crossfade of 20 ms.

        Raises `ValueError` for any other name.
        """
        if name not in MONITOR_MIXES:
            raise ValueError(f"{name!r} is not a monitor signal; choose from {', '.join(MONITOR_MIXES)}")
        self._state["monitor"] = list(MONITOR_MIXES).index(name)

    def set_trims(self, *, dry_db: float, target_db: float, with_flush: bool = False) -> None:
        """Set the trims of the monitor in dB: of the dry signal, and of target, matched signal and difference.

        0 dB leaves the samples unchanged. A change is a ramp of 20 ms, or `with_flush` a part of the crossfade of the
        next flush. Raises `ValueError` for a trim above 0 dB.
        """
        if not (dry_db <= 0.0 and target_db <= 0.0):
            raise ValueError(f"trims attenuate: {dry_db} and {target_db} dB must be at most 0")
        self._state["flush_trim"] = trims = 10.0 ** (dry_db / 20.0), 10.0 ** (target_db / 20.0)
        if not with_flush:
            self._state["trim"] = trims

    def simulate_xrun(self) -> None:
        """Insert one dropout of `DROPOUT_S` into the monitor signal and count an xrun, as if a block had been late.

        The callback does not wait, because that would risk a real xrun or the loss of the device. The signals in the
        audio ring have no gap.
        """
        self._state["xruns_requested"] += 1

    def close(self) -> None:
        """Free the shared memory. No thread may use the engine afterwards. Idempotent."""
        self.memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_inputs(signal: str, inputs: tuple[int, ...], channels: int, in_channels: int) -> None:
    if len(inputs) != channels or not all(1 <= channel <= in_channels for channel in inputs):
        raise ValueError(f"the {signal} signal needs {channels} of {in_channels} inputs, not {inputs}")


def _fill(table: NDArray[np.int64], numbers: tuple[int, ...]) -> None:
    """Store channel numbers, counted from 1, as indices."""
    table[: len(numbers)] = np.array(numbers, np.int64) - 1
