"""Compiled PortAudio callback: it runs in PortAudio's thread without Python and never waits.

`sounddevice._StreamBase` gets its address as the C callback, and the address of an engine's `STATE` as
user data. Streams are float32, interleaved.
"""

import numpy as np
from numba import cfunc, types

from rtgain.audio.engine.kernel import STATE, process_block, process_source
from rtgain.audio.engine.shared_memory import CONTROL
from rtgain.audio.jit import JIT_CACHE_ENABLED, array_at

PA_CONTINUE = 0

XRUN_FLAGS = 0x1 | 0x2 | 0x4 | 0x8
"""paInputUnderflow, paInputOverflow, paOutputUnderflow, paOutputOverflow."""

CURRENT_TIME = 1
"""Index in PaStreamCallbackTimeInfo: three doubles, the times in seconds of the first input sample, of this call and of
the first output sample."""

PA_STREAM_CALLBACK = types.int32(
    # Pointers are declared as integers, which every 64-bit platform passes the same way.
    types.int64,  # input
    types.int64,  # output
    types.ulong,  # frames
    types.int64,  # time info
    types.ulong,  # status flags
    types.int64,  # user data
)


@cfunc(PA_STREAM_CALLBACK, cache=JIT_CACHE_ENABLED, error_model="numpy")
def callback(
    input_address: int, output_address: int, frame_count: int, times_address: int, status: int, userdata: int
) -> int:
    """Process a block. Always returns PA_CONTINUE: the session detects the end of the source."""
    state = array_at(userdata, 1, STATE)[0]
    if status & XRUN_FLAGS:
        # If PortAudio splits a period into several blocks, all have the same flags and the same time: one xrun.
        now_s = array_at(times_address, 3, np.float64)[CURRENT_TIME]
        if now_s != state.last_xrun_time_s:
            state.last_xrun_time_s = now_s
            array_at(state.control, 1, CONTROL)[0].xruns += 1
    frames: int = np.int64(frame_count)  # type: ignore[assignment]
    inputs = array_at(input_address, (frames, state.in_channels), np.float32).T
    out = array_at(output_address, (frames, state.out_channels), np.float32)
    if state.dry_from_source != 0:
        process_source(userdata, inputs, out)
    else:
        process_block(userdata, inputs, state.dry_inputs, inputs, state.target_inputs, out)
    return PA_CONTINUE
