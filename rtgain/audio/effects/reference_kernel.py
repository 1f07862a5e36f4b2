"""The reference path, compiled: its state, and the stages that a block goes through.

All state lies in one record, and every stage gives the same samples however the frames are cut into
blocks. `rtgain.audio.effects.reference_path` says what the path does and sets its parameters.
"""

import math

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.constants import CHUNK_FRAMES, CROSSFADE_S, GAIN_RAMP_S
from rtgain.audio.effects.delay_line import DELAY, delay_block, prepare_delay
from rtgain.audio.effects.noise import add_noise
from rtgain.audio.effects.quadrature import QUADRATURE, quadrature, quadrature_coefficients, reset_quadrature
from rtgain.audio.effects.ramp import RAMP, decay_step_offset, prepare_ramp, ramp
from rtgain.audio.jit import Record, array_at, realtime_jit

SETTINGS = np.dtype(
    [
        ("gain", "f8"),  # signed, linear
        ("phase_rad", "f8"),
        ("delay_frames", "f8"),
        ("noise_rms", "f8"),
        ("bypass", "i8"),
        ("automation", "i8"),  # address of a BREAKPOINT table, or 0
    ]
)
"""What the user sets; any thread may write it, a block takes it up at its start."""

BREAKPOINT = np.dtype([("frame", "i8"), ("gain_db", "f8")])
"""A row of automation. Tables begin with a row at −FAR and end with one at FAR, so there is always a next."""

FAR = 2**62

PATH = np.dtype(
    [
        ("settings", SETTINGS),
        ("seed", "u8"),
        # What the gain follows: its ramp and its place in the automation table.
        ("gain_ramp", RAMP),
        ("course", "f8"),
        ("automation", "i8"),
        ("row", "i8"),
        # What the phase is made of: weights of the input, of `lag` and of `lead`, and the two filters.
        ("input_ramp", RAMP),
        ("lag_ramp", RAMP),
        ("lead_ramp", RAMP),
        ("quadrature", QUADRATURE),
        ("delay", DELAY),
        ("noise_ramp", RAMP),
        # Scratch.
        ("input_weight", "f8", (CHUNK_FRAMES,)),
        ("lag_weight", "f8", (CHUNK_FRAMES,)),
        ("lead_weight", "f8", (CHUNK_FRAMES,)),
        ("lag", "f8", (CHUNK_FRAMES,)),
        ("lead", "f8", (CHUNK_FRAMES,)),
        ("noise_level", "f8", (CHUNK_FRAMES,)),
    ]
)


def prepare_path(state: NDArray[np.void], sample_rate: int) -> NDArray[np.float64]:
    """Empty a path (dtype `PATH`, one element), settings and seed apart. Returns its line: keep it alive."""
    kept = state[["settings", "seed"]].copy()
    state[...] = np.zeros((), PATH)
    state[["settings", "seed"]] = kept
    state["course"] = math.nan
    state["quadrature"]["coefficients"] = quadrature_coefficients(sample_rate)
    prepare_ramp(state["gain_ramp"], GAIN_RAMP_S, sample_rate)
    prepare_ramp(state["noise_ramp"], GAIN_RAMP_S, sample_rate)
    for name in ("input_ramp", "lag_ramp", "lead_ramp"):
        prepare_ramp(state[name], CROSSFADE_S, sample_rate)
    return prepare_delay(state["delay"], sample_rate)


@realtime_jit
def process_reference_block(
    path: Record,
    frame: int,
    x: NDArray[np.float64],
    dry: NDArray[np.float64],
    target: NDArray[np.float64],
    gain: NDArray[np.float64],
    frames: int,
) -> None:
    """Make dry, target and |gain| of x[:frames], at most CHUNK frames, the first of which is `frame`."""
    gain_setting, automation = path.settings.gain, path.settings.automation
    phase_rad, delay_frames = path.settings.phase_rad, path.settings.delay_frames
    noise_rms = path.settings.noise_rms
    if path.settings.bypass != 0:
        gain_setting, automation, phase_rad, delay_frames, noise_rms = 1.0, 0, 0.0, 0.0, 0.0
    rotate(path, phase_rad, x, dry, target, frames)
    compute_gain_curve(path, gain_setting, automation, frame, gain, frames)
    for i in range(frames):
        target[i] *= gain[i]
        gain[i] = abs(gain[i])
    delay_block(path.delay, delay_frames, target, target, frames)
    ramp(path.noise_ramp, noise_rms, path.noise_level, frames)
    add_noise(path.seed, frame, path.noise_level, target, frames)


@realtime_jit
def rotate(
    path: Record,
    phase_rad: float,
    x: NDArray[np.float64],
    dry: NDArray[np.float64],
    target: NDArray[np.float64],
    frames: int,
) -> None:
    """Make `dry` and `target` from `x`, with the target turned by `phase_rad` against dry."""
    filters_idle = path.input_ramp.left == 0 and path.input_ramp.target != 0.0
    input_weight, lag_weight, lead_weight = path.input_weight, path.lag_weight, path.lead_weight
    turned = phase_rad != 0.0
    ramp(path.input_ramp, 0.0 if turned else 1.0, input_weight, frames)
    ramp(path.lag_ramp, math.cos(phase_rad) if turned else 0.0, lag_weight, frames)
    ramp(path.lead_ramp, math.sin(phase_rad) if turned else 0.0, lead_weight, frames)
    if filters_idle and not turned:
        for i in range(frames):
            dry[i] = x[i]
            target[i] = x[i]
        return
    if filters_idle:
        reset_quadrature(path.quadrature)
    lag, lead = path.lag, path.lead
    quadrature(path.quadrature, x, lag, lead, frames)
    for i in range(frames):
        if input_weight[i] == 1.0:  # the end of a fade, whose bits must not depend on where a block ends
            dry[i] = x[i]
            target[i] = x[i]
        else:
            dry[i] = input_weight[i] * x[i] + (1.0 - input_weight[i]) * lag[i]
            target[i] = input_weight[i] * x[i] + lag_weight[i] * lag[i] + lead_weight[i] * lead[i]


@realtime_jit
def compute_gain_curve(
    path: Record, setting: float, automation: int, frame: int, gain: NDArray[np.float64], frames: int
) -> None:
    """Fill `gain` with the signed linear gain: the setting or, with its sign, the automation."""
    course = setting if automation == 0 else math.copysign(1.0, setting)
    changed = (course != path.course or automation != path.automation) and not math.isnan(path.course)
    if automation != path.automation:
        path.row = 0
    path.course, path.automation = course, automation
    for i in range(frames):
        gain[i] = course
    if automation != 0:
        # A table's length is not known here, and need not be: its last row is never passed.
        table = array_at(automation, FAR, BREAKPOINT)
        for i in range(frames):
            while table[path.row + 1].frame <= frame + i:
                path.row += 1
            left, right = table[path.row], table[path.row + 1]
            progress = (frame + i - left.frame) / (right.frame - left.frame)
            gain[i] *= 10.0 ** ((left.gain_db + (right.gain_db - left.gain_db) * progress) / 20.0)
    decay_step_offset(path.gain_ramp, changed, gain, frames)


@realtime_jit
def process_path(address: int, frame: int, x: NDArray[np.float32], rows: NDArray[np.float32]) -> None:
    """`process_reference_block` for any number of frames, in float32: rows are dry, target and |gain|."""
    path = array_at(address, 1, PATH)[0]
    chunk = np.empty((4, CHUNK_FRAMES))
    for start in range(0, len(x), CHUNK_FRAMES):
        frames = min(CHUNK_FRAMES, len(x) - start)
        for i in range(frames):
            chunk[3, i] = x[start + i]
        process_reference_block(path, frame + start, chunk[3], chunk[0], chunk[1], chunk[2], frames)
        for row in range(3):
            for i in range(frames):
                rows[row, start + i] = chunk[row, i]
