"""Compiled audio kernel: one function per block, shared by all drivers.

    input ─► dry ─► reference path ─► target ─► monitor ─► output
              └─► estimated gain, delay, filters ─► matched ─┘        (dry, target, matched, gain ─► audio ring)

The kernel takes no lock, allocates nothing, calls no Python code and raises nothing. It reports faults by counting
them in the control record. Blocks may have any length, and the output bits do not depend on the block size.
Signals have the shape (channels, frames).
"""

import math

import numpy as np
from numba import types
from numpy.typing import NDArray

from rtgain.audio.constants import CHUNK_FRAMES, CROSSFADE_S, FULL_SCALE
from rtgain.audio.effects.matched_path import MATCHED_PATH, process_matched_block
from rtgain.audio.effects.ramp import RAMP, init_ramp, ramp
from rtgain.audio.effects.reference_kernel import REFERENCE_PATH, process_reference_block
from rtgain.audio.engine.ring_buffer import HEADER_BYTES, WRITTEN_OFFSET, publish, reserve, store_row
from rtgain.audio.engine.shared_memory import CONTROL, EQUALIZER_OFFSET
from rtgain.audio.jit import Record, array_at, load_acquire, realtime_jit, realtime_jit_eager, store_release
from rtgain.config.names import MAX_CHANNELS, MAX_VALID_SAMPLE

MONITOR_MIXES = {
    "dry": (1.0, 0.0, 0.0),
    "target": (0.0, 1.0, 0.0),
    "matched": (0.0, 0.0, 1.0),
    "difference": (0.0, 1.0, -1.0),
    "mute": (0.0, 0.0, 0.0),
}
"""Weights of dry, target and matched for each monitor signal. A change crossfades between the weights."""

END_UNKNOWN = 2**62
"""Value of `source_end_frame` while the end of the source is not known."""

NO_ORIGIN = 2**62
"""Value of `source_flush_origin` for a flush to another time: playback continues at its first frame."""

STATE = np.dtype(
    [
        ("control", "i8"),  # address of the CONTROL record
        ("channels", "i8"),
        ("audio", "i8"),  # address of the audio ring
        ("audio_capacity", "i8"),
        ("reference_path", REFERENCE_PATH),
        ("matched_path", MATCHED_PATH, (MAX_CHANNELS,)),
        ("target_is_input", "i8"),  # 1: the target is an input, not the output of the reference path
        # Monitor: a row of MONITOR_MIXES, and the ramps of its weights.
        ("monitor", "i8"),
        ("monitor_ramp", RAMP, (3,)),
        ("monitor_weight", "f8", (3, CHUNK_FRAMES)),
        # Level match: linear trims of the dry signal, and of target and matched signal in the monitor.
        ("trim", "f8", (2,)),
        ("trim_ramp", RAMP, (2,)),
        ("trim_gain", "f8", (2, CHUNK_FRAMES)),
        ("last_xrun_time_s", "f8"),  # time at which the device last reported an xrun
        # Simulated xruns: dropouts of the monitor signal.
        ("xruns_requested", "i8"),
        ("xruns_simulated", "i8"),
        ("dropout_frames", "i8"),  # length of a dropout
        ("dropout_frames_remaining", "i8"),  # remaining frames of the current dropout
        # Source ring, for input from the prefetch thread.
        ("source", "i8"),  # address of the ring
        ("source_rows", "i8"),  # the channels of the dry signal, then those of the target if it is in the source
        ("source_capacity", "i8"),
        ("source_read_frame", "i8"),  # next frame of the ring to read
        ("source_flush_frame", "i8"),  # unread frames before this one are skipped
        ("source_flush_origin", "i8"),  # unread frame whose time is that of `source_flush_frame`, or NO_ORIGIN
        ("flush_trim", "f8", (2,)),  # trims from the next flush on
        ("crossfade_frames", "i8"),  # length of the crossfade of a flush
        ("source_end_frame", "i8"),  # end of the source, or END_UNKNOWN
        # Device, for the callback.
        ("in_channels", "i8"),
        ("dry_inputs", "i8", (MAX_CHANNELS,)),  # input of each channel of the dry signal, from 0
        ("target_inputs", "i8", (MAX_CHANNELS,)),  # and of the target, if the target is an input
        ("out_channels", "i8"),
        ("outputs", "i8", (MAX_CHANNELS,)),  # outputs of the monitor signal, from 0; silence is sent to the others
        ("output_count", "i8"),
        ("mixes_down", "i8"),  # 1: the mean of all channels to each of `outputs`; 0: one channel to each
        ("dry_from_source", "i8"),
        # Scratch.
        ("input", "f8", (MAX_CHANNELS, CHUNK_FRAMES)),
        ("dry", "f8", (MAX_CHANNELS, CHUNK_FRAMES)),
        ("target", "f8", (MAX_CHANNELS, CHUNK_FRAMES)),
        ("matched", "f8", (MAX_CHANNELS, CHUNK_FRAMES)),
        ("mix", "f8", (MAX_CHANNELS, CHUNK_FRAMES)),
        ("gain", "f8", (CHUNK_FRAMES,)),
    ]
)
"""State of an engine, at one address: the user data of PortAudio."""

SOURCE_READ_FRAME_OFFSET = int(STATE.fields["source_read_frame"][1])  # type: ignore[index]
SOURCE_FLUSH_FRAME_OFFSET = int(STATE.fields["source_flush_frame"][1])  # type: ignore[index]
SOURCE_END_FRAME_OFFSET = int(STATE.fields["source_end_frame"][1])  # type: ignore[index]

MONITOR_WEIGHTS = np.array(list(MONITOR_MIXES.values()))

CHANNEL_ROWS = np.arange(MAX_CHANNELS)
"""Rows of the channels of an input that has no other channels."""

CHANNEL_ROWS.flags.writeable = False

INPUT_TYPE = types.Array(types.float32, 2, "A", readonly=True)
ROWS_TYPE = types.Array(types.int64, 1, "C", readonly=True)
OUTPUT_TYPE = types.Array(types.float32, 2, "C")


def init_monitor(state: NDArray[np.void], sample_rate: int) -> None:
    """Initialize the monitor of an engine (dtype `STATE`): it starts at its signal without a crossfade or a trim."""
    init_ramp(state["monitor_ramp"], CROSSFADE_S, sample_rate)
    init_ramp(state["trim_ramp"], CROSSFADE_S, sample_rate)
    state["trim"] = state["flush_trim"] = 1.0
    state["crossfade_frames"] = round(CROSSFADE_S * sample_rate)


@realtime_jit
def process_chunk(
    state: Record,
    dry_in: NDArray[np.float32],
    dry_rows: NDArray[np.int64],
    target_in: NDArray[np.float32],
    target_rows: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Process len(out) frames, at most CHUNK_FRAMES, of `process_block`."""
    channels, frames = state.channels, len(out)
    control = array_at(state.control, 1, CONTROL)[0]
    dry, target, matched, gain = state.dry, state.target, state.matched, state.gain
    start = reserve(state.audio, frames)
    dry_from_device = state.dry_from_source == 0
    if state.target_is_input != 0:
        copy_input(control, dry_in, dry_rows, dry, channels, frames, dry_from_device)
        copy_input(control, target_in, target_rows, target, channels, frames, state.in_channels > 0)
        for i in range(frames):
            gain[i] = np.nan
    else:
        copy_input(control, dry_in, dry_rows, state.input, channels, frames, dry_from_device)
        process_reference_block(state.reference_path, start, state.input, dry, target, gain, channels, frames)
    rows = array_at(state.audio + HEADER_BYTES, (3 * channels + 1, 2 * state.audio_capacity), np.float32)
    for channel in range(channels):
        x, y = dry[channel], matched[channel]
        for i in range(frames):
            x[i] = np.float32(x[i])  # as in the ring, so that matching the ring's frames later gives the same result
        estimated_gain, delay_frames = control.matched_gain[channel], control.matched_delay_frames[channel]
        equalizer = state.control + EQUALIZER_OFFSET
        process_matched_block(state.matched_path[channel], estimated_gain, delay_frames, equalizer, x, y, frames)
        store_row(rows[channel], state.audio_capacity, start, x, frames)
        store_row(rows[channels + channel], state.audio_capacity, start, target[channel], frames)
        store_row(rows[2 * channels + channel], state.audio_capacity, start, y, frames)
    store_row(rows[3 * channels], state.audio_capacity, start, gain, frames)
    publish(state.audio, start + frames)
    mix_monitor(state, dry, target, matched, out)
    control.frames = start + frames


@realtime_jit
def copy_input(
    control: Record,
    x: NDArray[np.float32],
    rows: NDArray[np.int64],
    y: NDArray[np.float64],
    channels: int,
    frames: int,
    from_device: bool,
) -> None:
    """Copy frames of the rows `rows` of `x` to the channels of `y`, replace invalid samples by 0, and count them.

    Samples at full scale are counted if `x` is a device's.

    A converter cannot exceed full scale. A file can: its samples are not clipped here, whatever their level. An empty
    `x` stands for silence.
    """
    clipped = 0
    invalid = 0
    for channel in range(channels):
        if x.size == 0:
            for i in range(frames):
                y[channel, i] = 0.0
            continue
        samples = x[rows[channel]]
        for i in range(frames):
            sample = samples[i]
            if not abs(sample) <= MAX_VALID_SAMPLE:  # true for NaN too
                invalid += 1
                sample = np.float32(0.0)
            elif from_device and abs(sample) >= FULL_SCALE:
                clipped += 1
            y[channel, i] = sample
    control.clipped_frames += clipped
    control.invalid_frames += invalid


@realtime_jit
def mix_monitor(
    state: Record,
    dry: NDArray[np.float64],
    target: NDArray[np.float64],
    matched: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    """Write the monitor signal to `out`, with the trims of the level match, limited to full scale."""
    channels, frames = state.channels, len(out)
    weight, trim, mix = state.monitor_weight, state.trim_gain, state.mix
    for row in range(2):
        ramp(state.trim_ramp[row], state.trim[row], trim[row], frames)
    for row in range(3):
        ramp(state.monitor_ramp[row], MONITOR_WEIGHTS[state.monitor, row], weight[row], frames)
        for i in range(frames):
            weight[row, i] *= trim[min(row, 1), i]  # exact for a trim of 1
    for channel in range(channels):
        x, y, z, sample = dry[channel], target[channel], matched[channel], mix[channel]
        for i in range(frames):
            sample[i] = weight[0, i] * x[i] + weight[1, i] * y[i] + weight[2, i] * z[i]
    if state.mixes_down != 0 and channels > 1:
        for channel in range(1, channels):
            for i in range(frames):
                mix[0, i] += mix[channel, i]
        for i in range(frames):
            mix[0, i] /= channels
    if state.output_count < state.out_channels:
        for i in range(frames):
            for output in range(state.out_channels):
                out[i, output] = 0.0
    for k in range(1 if state.mixes_down != 0 else channels):
        signal = mix[k]
        for i in range(frames):
            signal[i] = min(max(signal[i], -1.0), 1.0)
    for k in range(state.output_count):
        signal, output = mix[0 if state.mixes_down != 0 else k], state.outputs[k]
        for i in range(frames):
            out[i, output] = signal[i]


@realtime_jit
def insert_dropout(state: Record, out: NDArray[np.float32]) -> None:
    """Silence `out` during a simulated xrun, and count it as an xrun. The rings are not changed."""
    if state.xruns_simulated != state.xruns_requested:
        state.xruns_simulated = state.xruns_requested
        state.dropout_frames_remaining = state.dropout_frames
        array_at(state.control, 1, CONTROL)[0].xruns += 1
    frames = min(state.dropout_frames_remaining, len(out))
    for i in range(frames):
        for channel in range(out.shape[1]):
            out[i, channel] = 0.0
    state.dropout_frames_remaining -= frames


@realtime_jit_eager(types.void(types.int64, INPUT_TYPE, ROWS_TYPE, INPUT_TYPE, ROWS_TYPE, OUTPUT_TYPE))
def process_block(
    address: int,
    dry_in: NDArray[np.float32],
    dry_rows: NDArray[np.int64],
    target_in: NDArray[np.float32],
    target_rows: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Process the next len(out) frames of the engine whose `STATE` is at `address`.

    `dry_in` contains the dry signal, and `target_in` the target if that is an input: float32, shape (rows, frames).
    `dry_rows` and `target_rows` are the rows of the channels. An empty array stands for silence. `out`, shape
    (frames, outputs), is filled with the monitor signal.
    """
    state = array_at(address, 1, STATE)[0]
    for start in range(0, len(out), CHUNK_FRAMES):
        chunk = out[start : start + CHUNK_FRAMES]
        process_chunk(state, dry_in[:, start:], dry_rows, target_in[:, start:], target_rows, chunk)
    insert_dropout(state, out)


@realtime_jit
def flush_source(state: Record, rows: NDArray[np.float32], flush_frame: int, written: int) -> int:
    """Crossfade the source ring in place from its unread frames to those from `flush_frame` on; return the next frame.

    It fades from silence where no unread frames are available. If the unread frames have an origin, the frames that
    were played since then are skipped, so that playback continues in time. The trims change with the frames: the
    unread ones are scaled by the ratio of the old trim to the new one. The reader of the ring owns all frames before
    `written` that it has not read.
    """
    capacity, old_frame, frames = state.source_capacity, state.source_read_frame, state.crossfade_frames
    elapsed = min(max(old_frame - state.source_flush_origin, 0), written - flush_frame)
    new_frame: int = flush_frame + elapsed
    for row in range(len(rows)):
        signal = 0 if row < state.channels else 1
        ramp_state, trim = state.trim_ramp[signal], state.flush_trim[signal]
        scale = np.float32(1.0 if math.isnan(ramp_state.target) else ramp_state.last / trim)
        for i in range(min(frames, written - new_frame)):
            old, new = (old_frame + i) & (capacity - 1), (new_frame + i) & (capacity - 1)
            share = np.float32(i + 1) / np.float32(frames + 1)
            last = scale * rows[row, old] if old_frame + i < flush_frame else np.float32(0.0)
            mixed = share * rows[row, new] + (np.float32(1.0) - share) * last
            rows[row, new] = mixed
            rows[row, new + capacity] = mixed  # the ring stores every row twice
    for signal in range(2):
        state.trim[signal] = state.flush_trim[signal]
        state.trim_ramp[signal].target = np.nan  # without a ramp
        state.trim_ramp[signal].frames_remaining = 0
    return new_frame


@realtime_jit_eager(types.void(types.int64, INPUT_TYPE, OUTPUT_TYPE))
def process_source(address: int, target_in: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Call `process_block` with input from the source ring; `target_in` are the inputs of a device with the target.

    If the ring is empty before the end of the source, the input is silence, which is counted as an underrun. No source
    frames are lost: the source continues where it stopped.
    """
    state = array_at(address, 1, STATE)[0]
    control = array_at(state.control, 1, CONTROL)[0]
    rows = array_at(state.source + HEADER_BYTES, (state.source_rows, 2 * state.source_capacity), np.float32)
    flush_frame = load_acquire(address + SOURCE_FLUSH_FRAME_OFFSET)
    written = load_acquire(state.source + WRITTEN_OFFSET)
    if state.source_read_frame < flush_frame:
        store_release(address + SOURCE_READ_FRAME_OFFSET, flush_source(state, rows, flush_frame, written))
    available = min(len(out), written - state.source_read_frame)
    slot = state.source_read_frame & (state.source_capacity - 1)
    unread = rows[:, slot : slot + available]
    is_recorded = target_in.size > 0
    second_in = target_in if is_recorded else unread[state.channels :]
    second_rows = state.target_inputs if is_recorded else CHANNEL_ROWS
    process_block(address, unread, CHANNEL_ROWS, second_in, second_rows, out[:available])
    next_frame = state.source_read_frame + available
    store_release(address + SOURCE_READ_FRAME_OFFSET, next_frame)
    if control.ended == 0 and next_frame >= load_acquire(address + SOURCE_END_FRAME_OFFSET):
        control.end_frame = control.frames
        control.ended = 1
    if control.ended == 0:
        control.underrun_frames += len(out) - available
    late_in = target_in[:, available:]
    process_block(address, late_in[:0], CHANNEL_ROWS, late_in, state.target_inputs, out[available:])
