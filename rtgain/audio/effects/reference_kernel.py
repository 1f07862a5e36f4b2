"""Compiled half of the reference path: its state and the stages that process a block.

All state is in one record. Every stage computes the same samples regardless of the block size.
`rtgain.audio.effects.reference_path` documents the path and sets its parameters.
"""

import math

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.constants import CHUNK_FRAMES, CROSSFADE_S, GAIN_RAMP_S
from rtgain.audio.effects.delay_line import DELAY, delay_block, init_delay
from rtgain.audio.effects.equalizer import EQUALIZER, equalize_block, init_equalizer
from rtgain.audio.effects.noise import add_noise, channel_seed
from rtgain.audio.effects.quadrature import QUADRATURE, quadrature, quadrature_coefficients, reset_quadrature
from rtgain.audio.effects.ramp import RAMP, decay_step_offset, init_ramp, ramp
from rtgain.audio.jit import Record, array_at, realtime_jit
from rtgain.config.names import MAX_CHANNELS

REFERENCE_PARAMETERS = np.dtype(
    [
        ("gain", "f8"),  # signed, linear
        ("equalizer_gain", "f8"),  # linear; also part of an automated gain
        ("phase_rad", "f8"),
        ("delay_frames", "f8"),
        ("noise_rms", "f8"),
        ("automation", "i8"),  # address of a BREAKPOINT table, or 0
        ("equalizer", "i8"),  # address of an EQUALIZER_PARAMETERS record
    ]
)
"""Parameters set by the user. Any thread may write them; they take effect at the start of the next chunk."""

BREAKPOINT = np.dtype([("frame", "i8"), ("gain_db", "f8")])
"""Row of an automation table."""

END_SENTINEL_FRAME = 2**62
"""Frame of the last row of every automation table; the first row is at minus this frame. Every frame that is processed
therefore has a previous and a next breakpoint."""

REFERENCE_CHANNEL = np.dtype([("quadrature", QUADRATURE), ("equalizer", EQUALIZER), ("delay", DELAY)])
"""Filters and delay line of one channel."""

REFERENCE_PATH = np.dtype(
    [
        ("parameters", REFERENCE_PARAMETERS),
        ("seed", "u8"),
        # Gain: its ramp, the gain without automation, and the current table and row of the automation.
        ("gain_ramp", RAMP),
        ("base_gain", "f8"),
        ("automation", "i8"),
        ("row", "i8"),
        # Phase: weights of the input and of the two filter outputs.
        ("input_ramp", RAMP),
        ("in_phase_ramp", RAMP),
        ("quadrature_ramp", RAMP),
        ("noise_ramp", RAMP),
        ("channels", REFERENCE_CHANNEL, (MAX_CHANNELS,)),
        # Scratch.
        ("input_weight", "f8", (CHUNK_FRAMES,)),
        ("in_phase_weight", "f8", (CHUNK_FRAMES,)),
        ("quadrature_weight", "f8", (CHUNK_FRAMES,)),
        ("in_phase", "f8", (CHUNK_FRAMES,)),
        ("quadrature_phase", "f8", (CHUNK_FRAMES,)),
        ("noise_level", "f8", (CHUNK_FRAMES,)),
    ]
)


def init_reference_path(state: NDArray[np.void], sample_rate: int, channels: int) -> list[NDArray[np.float64]]:
    """Reset a reference path (dtype `REFERENCE_PATH`, one element) except its parameters and seed.

    Returns the delay lines of its channels, which the caller must keep alive.
    """
    preserved = state[["parameters", "seed"]].copy()
    state[...] = np.zeros((), REFERENCE_PATH)
    state[["parameters", "seed"]] = preserved
    state["base_gain"] = math.nan
    init_ramp(state["gain_ramp"], GAIN_RAMP_S, sample_rate)
    init_ramp(state["noise_ramp"], GAIN_RAMP_S, sample_rate)
    for name in ("input_ramp", "in_phase_ramp", "quadrature_ramp"):
        init_ramp(state[name], CROSSFADE_S, sample_rate)
    used = state["channels"].reshape(-1)[:channels]
    init_equalizer(used["equalizer"], sample_rate)
    used["quadrature"]["coefficients"] = quadrature_coefficients(sample_rate)
    return [init_delay(used["delay"][channel : channel + 1], sample_rate) for channel in range(channels)]


@realtime_jit
def process_reference_block(
    path: Record,
    frame: int,
    x: NDArray[np.float64],
    dry: NDArray[np.float64],
    target: NDArray[np.float64],
    gain: NDArray[np.float64],
    channels: int,
    frames: int,
) -> None:
    """Compute dry, target and |gain| of x[:channels, :frames], at most CHUNK_FRAMES; the first frame is `frame`."""
    parameters = path.parameters
    delay_frames, noise_rms = parameters.delay_frames, parameters.noise_rms
    rotate_phase(path, parameters.phase_rad, x, dry, target, channels, frames)
    compute_gain_curve(path, parameters.gain, parameters.equalizer_gain, parameters.automation, frame, gain, frames)
    ramp(path.noise_ramp, noise_rms, path.noise_level, frames)
    for channel in range(channels):
        channel_target = target[channel]
        for i in range(frames):
            channel_target[i] *= gain[i]
        equalize_block(path.channels[channel].equalizer, parameters.equalizer, channel_target, frames)
        delay_block(path.channels[channel].delay, delay_frames, channel_target, channel_target, frames)
        add_noise(channel_seed(path.seed, channel), frame, path.noise_level, channel_target, frames)
    for i in range(frames):
        gain[i] = abs(gain[i])


@realtime_jit
def rotate_phase(
    path: Record,
    phase_rad: float,
    x: NDArray[np.float64],
    dry: NDArray[np.float64],
    target: NDArray[np.float64],
    channels: int,
    frames: int,
) -> None:
    """Compute `dry` and `target` from `x`; the target's phase is rotated by `phase_rad` relative to dry.

    All have the shape (channels, frames).
    """
    filters_idle = path.input_ramp.frames_remaining == 0 and path.input_ramp.target != 0.0
    input_weight, in_phase_weight, quadrature_weight = path.input_weight, path.in_phase_weight, path.quadrature_weight
    is_rotated = phase_rad != 0.0
    ramp(path.input_ramp, 0.0 if is_rotated else 1.0, input_weight, frames)
    ramp(path.in_phase_ramp, math.cos(phase_rad) if is_rotated else 0.0, in_phase_weight, frames)
    ramp(path.quadrature_ramp, math.sin(phase_rad) if is_rotated else 0.0, quadrature_weight, frames)
    in_phase, quadrature_phase = path.in_phase, path.quadrature_phase
    for channel in range(channels):
        channel_x, channel_dry, channel_target = x[channel], dry[channel], target[channel]
        if filters_idle and not is_rotated:
            for i in range(frames):
                channel_dry[i] = channel_x[i]
                channel_target[i] = channel_x[i]
            continue
        filters = path.channels[channel].quadrature
        if filters_idle:
            reset_quadrature(filters)
        quadrature(filters, channel_x, in_phase, quadrature_phase, frames)
        for i in range(frames):
            if input_weight[i] == 1.0:  # end of a crossfade: a copy, so that its bits do not depend on the block size
                channel_dry[i] = channel_x[i]
                channel_target[i] = channel_x[i]
            else:
                channel_dry[i] = input_weight[i] * channel_x[i] + (1.0 - input_weight[i]) * in_phase[i]
                channel_target[i] = (
                    input_weight[i] * channel_x[i]
                    + in_phase_weight[i] * in_phase[i]
                    + quadrature_weight[i] * quadrature_phase[i]
                )


@realtime_jit
def compute_gain_curve(
    path: Record,
    set_gain: float,
    equalizer_gain: float,
    automation: int,
    frame: int,
    gain: NDArray[np.float64],
    frames: int,
) -> None:
    """Fill `gain` with the signed linear gain, times that of the equalizer.

    It is `set_gain`, or the automation with the sign of `set_gain`.
    """
    base_gain = equalizer_gain * (set_gain if automation == 0 else math.copysign(1.0, set_gain))
    changed = (base_gain != path.base_gain or automation != path.automation) and not math.isnan(path.base_gain)
    if automation != path.automation:
        path.row = 0
    path.base_gain, path.automation = base_gain, automation
    for i in range(frames):
        gain[i] = base_gain
    if automation != 0:
        # The length of the table is unknown here. The last row, at END_SENTINEL_FRAME, is never passed.
        table = array_at(automation, END_SENTINEL_FRAME, BREAKPOINT)
        for i in range(frames):
            while table[path.row + 1].frame <= frame + i:
                path.row += 1
            previous, following = table[path.row], table[path.row + 1]
            progress = (frame + i - previous.frame) / (following.frame - previous.frame)
            gain[i] *= 10.0 ** ((previous.gain_db + (following.gain_db - previous.gain_db) * progress) / 20.0)
    decay_step_offset(path.gain_ramp, changed, gain, frames)


@realtime_jit
def process_reference(
    address: int,
    frame: int,
    x: NDArray[np.float32],
    dry: NDArray[np.float32],
    target: NDArray[np.float32],
    gain: NDArray[np.float32],
) -> None:
    """Apply `process_reference_block` to any number of frames, in float32."""
    path = array_at(address, 1, REFERENCE_PATH)[0]
    channels, length = x.shape
    chunk = np.empty((3, channels, CHUNK_FRAMES))
    gain_chunk = np.empty(CHUNK_FRAMES)
    for start in range(0, length, CHUNK_FRAMES):
        frames = min(CHUNK_FRAMES, length - start)
        chunk[0, :, :frames] = x[:, start : start + frames]
        process_reference_block(path, frame + start, chunk[0], chunk[1], chunk[2], gain_chunk, channels, frames)
        dry[:, start : start + frames] = chunk[1, :, :frames]
        target[:, start : start + frames] = chunk[2, :, :frames]
        gain[start : start + frames] = gain_chunk[:frames]
