"""The kernel: what happens to every block of audio, in one compiled function that all drivers share.

    input ─► dry ─► reference path ─► target ─► monitor ─► output
              └─► estimated gain, delay ─► matched ─┘        (dry, target, matched, gain ─► audio ring)

It takes no lock, allocates nothing, calls no Python and raises nothing: what it must report, it
counts in the control record. Blocks may have any length, and cutting the same frames into other
blocks gives the same bits.
"""

import numpy as np
from numba import types
from numpy.typing import NDArray

from rtgain.audio.constants import CHUNK_FRAMES, CROSSFADE_S
from rtgain.audio.effects.matched_path import MATCHED_PATH, process_matched_block
from rtgain.audio.effects.ramp import RAMP, prepare_ramp, ramp
from rtgain.audio.effects.reference_kernel import PATH, process_reference_block
from rtgain.audio.engine.ring_buffer import HEADER_BYTES, WRITTEN, publish, reserve, store_row
from rtgain.audio.engine.shared_memory import CONTROL, DRY, GAIN, MATCHED, TARGET
from rtgain.audio.jit import Record, array_at, load_acquire, realtime_jit, realtime_jit_eager, store_release

MONITOR_MIXES = {
    "dry": (1.0, 0.0, 0.0),
    "target": (0.0, 1.0, 0.0),
    "matched": (0.0, 0.0, 1.0),
    "difference": (0.0, 1.0, -1.0),
    "mute": (0.0, 0.0, 0.0),
}
"""What can be heard, as weights of dry, target and matched; a switch crossfades from weights to weights."""

MAX_VALID_SAMPLE = 1e6
"""Input beyond +120 dBFS is no signal but a fault, like NaN: it is replaced by 0 and counted."""

ENDLESS = 2**62

STATE = np.dtype(
    [
        ("control", "i8"),  # address of the CONTROL record
        ("audio", "i8"),  # address of the audio ring
        ("audio_capacity", "i8"),
        ("path", PATH),
        ("match", MATCHED_PATH),
        ("target_is_input", "i8"),  # 1: the target is an input, not made by the reference path
        # The monitor: a row of HEAR, and the weights that lead there.
        ("monitor", "i8"),
        ("monitor_ramp", RAMP, (3,)),
        ("hear_weight", "f8", (3, CHUNK_FRAMES)),
        ("xrun_at_s", "f8"),  # when the device last said that it was late
        # Xruns that are made on purpose: silence in what is heard.
        ("xruns_wanted", "i8"),
        ("xruns_made", "i8"),
        ("xrun_frames", "i8"),  # how long one is
        ("xrun_left", "i8"),  # frames of the present one that are still to come
        # The source ring, for input that a prefetch thread brings.
        ("source", "i8"),  # its address
        ("source_capacity", "i8"),
        ("source_read_frame", "i8"),  # frames of it that were played
        ("source_flush_frame", "i8"),  # frames before this one that were not played yet are passed over
        ("source_end_frame", "i8"),  # where it ends; ENDLESS as long as that is not known
        # The device, for the callback.
        ("in_channels", "i8"),
        ("dry_input", "i8"),  # the input that is dry, from 0
        ("target_input", "i8"),  # the input that is the target, where one is
        ("out_channels", "i8"),
        ("first_out", "i8"),  # what is heard goes to outputs from this one
        ("last_out", "i8"),  # to this one, and silence to the others
        ("dry_from_source", "i8"),
        # Scratch.
        ("input", "f8", (CHUNK_FRAMES,)),
        ("dry", "f8", (CHUNK_FRAMES,)),
        ("target", "f8", (CHUNK_FRAMES,)),
        ("matched", "f8", (CHUNK_FRAMES,)),
        ("gain", "f8", (CHUNK_FRAMES,)),
    ]
)
"""All that a block needs, behind one address: PortAudio's user data."""

SOURCE_READ_FRAME = int(STATE.fields["source_read_frame"][1])  # type: ignore[index]
SOURCE_FLUSH_FRAME = int(STATE.fields["source_flush_frame"][1])  # type: ignore[index]
SOURCE_END_FRAME = int(STATE.fields["source_end_frame"][1])  # type: ignore[index]

MONITOR_WEIGHTS = np.array(list(MONITOR_MIXES.values()))

SIGNAL = types.Array(types.float32, 1, "A", readonly=True)
FRAMES = types.Array(types.float32, 2, "C")


def prepare_monitor(state: NDArray[np.void], sample_rate: int) -> None:
    """Let the monitor of an engine (dtype `STATE`) start at what is to be heard, without a fade."""
    prepare_ramp(state["monitor_ramp"], CROSSFADE_S, sample_rate)


@realtime_jit
def process_chunk(state: Record, in0: NDArray[np.float32], in1: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    frames = len(out)
    control = array_at(state.control, 1, CONTROL)[0]
    dry, target, matched, gain = state.dry, state.target, state.matched, state.gain
    start = reserve(state.audio, frames)
    if state.target_is_input != 0:
        copy_input(control, in0, dry, frames)
        copy_input(control, in1, target, frames)
        for i in range(frames):
            gain[i] = np.nan
    else:
        copy_input(control, in0, state.input, frames)
        process_reference_block(state.path, start, state.input, dry, target, gain, frames)
    for i in range(frames):
        dry[i] = np.float32(dry[i])  # as the ring has it: what is matched later, out of the ring, is the same
    process_matched_block(state.match, control.match_gain, control.match_delay_frames, dry, matched, frames)
    rows = array_at(state.audio + HEADER_BYTES, (4, 2 * state.audio_capacity), np.float32)
    store_row(rows[DRY], state.audio_capacity, start, dry, frames)
    store_row(rows[TARGET], state.audio_capacity, start, target, frames)
    store_row(rows[MATCHED], state.audio_capacity, start, matched, frames)
    store_row(rows[GAIN], state.audio_capacity, start, gain, frames)
    publish(state.audio, start + frames)
    mix_monitor(state, dry, target, matched, out)
    control.frames = start + frames


@realtime_jit
def copy_input(control: Record, x: NDArray[np.float32], y: NDArray[np.float64], frames: int) -> None:
    """Copy x[:frames] (silence if x is empty) to `y`, and count what is no proper signal."""
    clipped = 0
    nonfinite = 0
    if len(x) == 0:
        for i in range(frames):
            y[i] = 0.0
        return
    for i in range(frames):
        sample = x[i]
        if not abs(sample) <= MAX_VALID_SAMPLE:  # NaN too
            nonfinite += 1
            sample = np.float32(0.0)
        elif abs(sample) >= 1.0:
            clipped += 1
        y[i] = sample
    control.clipped_frames += clipped
    control.invalid_frames += nonfinite


@realtime_jit
def mix_monitor(
    state: Record,
    dry: NDArray[np.float64],
    target: NDArray[np.float64],
    matched: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    """Write what is to be heard to `out`, never beyond full scale."""
    frames, channels = out.shape
    weight = state.hear_weight
    for row in range(3):
        ramp(state.monitor_ramp[row], MONITOR_WEIGHTS[state.monitor, row], weight[row], frames)
    for i in range(frames):
        heard = weight[0, i] * dry[i] + weight[1, i] * target[i] + weight[2, i] * matched[i]
        heard = min(max(heard, -1.0), 1.0)
        for channel in range(channels):
            plays = state.first_out <= channel <= state.last_out
            out[i, channel] = heard if plays else np.float32(0.0)


@realtime_jit
def insert_dropout(state: Record, out: NDArray[np.float32]) -> None:
    """Be silent for an xrun that somebody wants to hear, and count it; the rings are not touched."""
    if state.xruns_made != state.xruns_wanted:
        state.xruns_made = state.xruns_wanted
        state.xrun_left = state.xrun_frames
        array_at(state.control, 1, CONTROL)[0].xruns += 1
    frames = min(state.xrun_left, len(out))
    for i in range(frames):
        for channel in range(out.shape[1]):
            out[i, channel] = 0.0
    state.xrun_left -= frames


@realtime_jit_eager(types.void(types.int64, SIGNAL, SIGNAL, FRAMES))
def process_block(address: int, in0: NDArray[np.float32], in1: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Process the next len(out) frames of the engine whose `STATE` lies at `address`.

    in0 is the dry signal and in1 the target, where that is an input: float32, shape (frames,). An
    empty array stands for silence. out has the shape (frames, channels); its channels that play hear the same.
    """
    state = array_at(address, 1, STATE)[0]
    for start in range(0, len(out), CHUNK_FRAMES):
        process_chunk(state, in0[start:], in1[start:], out[start : start + CHUNK_FRAMES])
    insert_dropout(state, out)


@realtime_jit
def crossfade_seek(rows: NDArray[np.float32], capacity: int, before: int, behind: int, frames: int) -> None:
    """Fade from the source ring's frames `before` the cut, as far as there are any, to those `behind` it.

    In place, over one block: whoever takes from a ring owns what was written and not taken.
    """
    old, new = before & (capacity - 1), behind & (capacity - 1)
    for row in range(len(rows)):
        for i in range(min(frames, capacity)):
            share = np.float32(i + 1) / np.float32(frames + 1)
            last = rows[row, old + i] if before + i < behind else np.float32(0.0)
            rows[row, new + i] = share * rows[row, new + i] + (np.float32(1.0) - share) * last


@realtime_jit_eager(types.void(types.int64, SIGNAL, FRAMES))
def process_source(address: int, in1: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """`process_block` with its input from the source ring, but for a target that the device brings (`in1`).

    Where the ring runs dry before the source has ended, silence is played and counted, and nothing is
    taken: the source goes on where it stopped.
    """
    state = array_at(address, 1, STATE)[0]
    control = array_at(state.control, 1, CONTROL)[0]
    rows = array_at(state.source + HEADER_BYTES, (2, 2 * state.source_capacity), np.float32)
    cut = load_acquire(address + SOURCE_FLUSH_FRAME)
    if state.source_read_frame < cut:
        crossfade_seek(rows, state.source_capacity, state.source_read_frame, cut, len(out))
        store_release(address + SOURCE_READ_FRAME, cut)
    taken = min(len(out), load_acquire(state.source + WRITTEN) - state.source_read_frame)
    slot = state.source_read_frame & (state.source_capacity - 1)
    second = in1[:taken] if len(in1) > 0 else rows[1, slot : slot + taken]
    process_block(address, rows[0, slot : slot + taken], second, out[:taken])
    taken_by_now = state.source_read_frame + taken
    store_release(address + SOURCE_READ_FRAME, taken_by_now)
    if control.ended == 0 and taken_by_now >= load_acquire(address + SOURCE_END_FRAME):
        control.end_frame = control.frames
        control.ended = 1
    if control.ended == 0:
        control.underrun_frames += len(out) - taken
    process_block(address, in1[:0], in1[taken:], out[taken:])
