"""The engine: everything that the audio of one session owns, and the switches on it.

Drivers call it for every block, from their own thread or through the compiled callback. The switches
may be used from any other thread meanwhile: each is one aligned number that the next block reads.
"""

from types import TracebackType
from typing import Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.effects.matched_path import init_matched_path
from rtgain.audio.effects.reference_path import ReferencePath
from rtgain.audio.engine.kernel import (
    ENDLESS,
    MONITOR_MIXES,
    SOURCE_END_FRAME,
    SOURCE_FLUSH_FRAME,
    SOURCE_READ_FRAME,
    STATE,
    prepare_monitor,
    process_block,
    process_source,
)
from rtgain.audio.engine.ring_buffer import RingBuffer
from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.audio.jit import load_counter, store_counter

Target = Literal["reference", "channel", "return"]

XRUN_S = 0.02
"""How long an xrun is that is made on purpose: a block of many a sound card's default length."""

SOURCE_S = 2.0
"""The source ring holds at least this much, up to `SOURCE_FRAMES_MAX`."""

SOURCE_FRAMES_MAX = 1 << 20
"""Above 524 kHz it is less, down to 1.4 s."""

_NOTHING = np.zeros(0, np.float32)


class Engine:
    """One session's audio: the dry signal in; target, matched signal and what is heard out.

    `target` says where the target comes from: ``reference`` (made from the dry signal), ``channel``
    (another input) or ``return`` (a device's input, while the source is played).
    `in_channels` and `out_channels` are the device's; `in_channels` is 0 without a device, or when only
    its output is used. Then, and for ``return``, the callback takes its input from the source ring.
    `dry_channel` and `target_channel` are those of the device's inputs, and `output_channel` is the one of
    its outputs that plays, counted from 1; None for all of them.

    Attributes: `memory` (shared with the estimator), `reference` (the plug-in that makes the target).
    Raises `RtgainError` when there is too little shared memory. Close it, after the driver was stopped.
    """

    def __init__(
        self,
        sample_rate: int,
        *,
        seed: int = 0,
        target: Target = "reference",
        in_channels: int = 0,
        out_channels: int = 2,
        dry_channel: int = 1,
        target_channel: int = 1,
        output_channel: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.memory = EngineSharedMemory.create(sample_rate)
        self.source_capacity = min(1 << (int(SOURCE_S * sample_rate) - 1).bit_length(), SOURCE_FRAMES_MAX)
        buffer = np.zeros(
            RingBuffer.nbytes(2, self.source_capacity, np.float32), np.uint8
        ).data  # pages come with the sound
        self._source = RingBuffer(buffer, 2, self.source_capacity, np.float32)

        self._state = state = np.zeros(1, STATE)
        self.reference = ReferencePath(seed=seed, state=state["path"])
        self.reference.prepare(sample_rate)
        self._match_line = init_matched_path(state["match"], sample_rate)
        prepare_monitor(state, sample_rate)
        state["control"] = self.memory.control.address
        state["audio"] = self.memory.audio.address
        state["audio_capacity"] = self.memory.audio.capacity
        state["target_is_input"] = target != "reference"
        state["source"] = self._source.address
        state["source_capacity"] = self.source_capacity
        state["source_end_frame"] = ENDLESS
        state["xrun_frames"] = round(XRUN_S * sample_rate)
        state["in_channels"] = in_channels
        state["dry_input"] = dry_channel - 1
        state["target_input"] = target_channel - 1
        state["out_channels"] = out_channels
        state["first_out"], state["last_out"] = (
            (0, out_channels - 1) if output_channel is None else (output_channel - 1, output_channel - 1)
        )
        state["dry_from_source"] = in_channels == 0 or target == "return"
        self.userdata_address: int = state.ctypes.data
        self.set_monitor("dry" if target == "return" else "target")

    # Audio, for drivers. One thread at a time may be in here.

    def process(self, in0: NDArray[np.float32], in1: NDArray[np.float32] | None, out: NDArray[np.float32]) -> None:
        """Process a block: `in0` is dry, `in1` the target where that is an input: shape (frames,).

        `out`, shape (frames, channels), is filled with what is heard. All float32, `out` C-contiguous.
        """
        if len(in0) != len(out) or (in1 is not None and len(in1) != len(out)):
            raise ValueError(f"a block of {len(out)} frames needs as many frames of input")
        process_block(self.userdata_address, in0, _NOTHING if in1 is None else in1, out)

    def process_source(self, out: NDArray[np.float32]) -> None:
        """Process one block of len(out) frames whose input comes from the source ring, as in the callback."""
        process_source(self.userdata_address, _NOTHING, out)

    def end(self) -> None:
        """Declare that the source ended here, where the driver brings the input itself (`process`)."""
        control = self.memory.control
        control["end_frame"] = control["frames"]
        control["ended"] = 1

    @property
    def callback_address(self) -> int:
        """The compiled PortAudio callback, a C function pointer; its user data is `userdata_address`.

        Compiles for some seconds when a machine first asks for it, so ask before the stream starts.
        """
        from rtgain.audio.engine.portaudio_callback import callback

        return cast(int, callback.address)

    # The source ring, for one prefetch thread.

    @property
    def source_space(self) -> int:
        """Frames that the source ring can take now without overwriting any that was not played yet."""
        return self.source_capacity - (self._source.frames_written - self.source_read_frame)

    @property
    def source_read_frame(self) -> int:
        """Frames of the source ring that were played or passed over."""
        return load_counter(self.userdata_address + SOURCE_READ_FRAME)

    def write_source(self, block: NDArray[np.float32], *, last: bool = False, cut: bool = False) -> int:
        """Append `block`, shape (1 or 2, frames), to the source ring; with `last` the source ends behind it.

        With `cut` it is played next, after a fade over one block, and what the ring still held is passed over.
        Returns how many frames of the source came before. Raises `ValueError` for more than `source_space` frames.
        """
        channels, frames = block.shape
        if frames > self.source_space:
            raise ValueError(f"{frames} frames do not fit into the {self.source_space} that are free")
        before = self._source.frames_written
        if last or cut:
            store_counter(self.userdata_address + SOURCE_END_FRAME, before + frames if last else ENDLESS)
        self._source.write(np.broadcast_to(block, (2, frames)) if channels == 1 else block)
        if cut:
            store_counter(self.userdata_address + SOURCE_FLUSH_FRAME, before)
        return before

    # Switches, for any thread.

    def set_reference(
        self,
        *,
        gain_db: float | None = None,
        polarity: int | None = None,
        phase_deg: float | None = None,
        delay_ms: float | None = None,
        noise_dbfs: float | None = None,
    ) -> None:
        """Set parameters of the reference path (`PARAMETERS` of `rtgain.audio.effects.reference_path`); None keeps one.

        `polarity` is 1 or -1; a `noise_dbfs` of -inf is no noise. Raises `ValueError` outside the ranges.
        """
        self.reference.set(
            gain_db=gain_db, polarity=polarity, phase_deg=phase_deg, delay_ms=delay_ms, noise_dbfs=noise_dbfs
        )

    def set_automation(self, frames: NDArray[np.int64] | None, gain_db: NDArray[np.float64] | None = None) -> None:
        """Let the reference gain follow breakpoints, see `ReferencePath.set_automation`; None ends it."""
        self.reference.set_automation(frames, gain_db)

    def set_bypass(self, bypass: bool) -> None:
        """Make the target the dry signal itself, or the reference path's again."""
        self.reference.bypass = bypass

    def set_monitor(self, name: str) -> None:
        """Choose what is heard: dry, target, matched, difference or mute. Crossfades over 20 ms.

        Raises `ValueError` for any other name.
        """
        if name not in MONITOR_MIXES:
            raise ValueError(f"{name!r} cannot be heard; choose from {', '.join(MONITOR_MIXES)}")
        self._state["monitor"] = list(MONITOR_MIXES).index(name)

    def simulate_xrun(self) -> None:
        """Let what is heard drop out once for `XRUN_S`, and count an xrun, as if a block had come too late.

        Nothing is late, and the estimator hears no gap: a callback that waited would risk a real one, or the device.
        """
        self._state["xruns_wanted"] += 1

    def close(self) -> None:
        """Free the shared memory. Nothing may process any more. Idempotent."""
        self.memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
