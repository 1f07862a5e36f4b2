"""Lesson 6: blocks, latency and xruns."""

from rtgain.lessons.checks import InRange, NoXruns, NumericCheck
from rtgain.lessons.lesson import Lesson, Step

MUSIC = {"input": "demo", "loss": "spectral", "optimizer": "Rprop", "align": "off"}

LESSON = Lesson(
    name="real-time",
    number=6,
    title="Blocks, latency and xruns",
    summary=(
        "Sound must be ready in time, so the slow optimizer runs separately, and its estimates arrive a little later."
    ),
    steps=(
        Step(
            title="Blocks and the callback",
            text=(
                "The device requests one block at a time, for example 256 frames (samples), which are {block_ms:.1f} "
                "ms at 48 kHz. A function, the callback, must fill each block in time. If it is late, the device plays "
                "silence or old sound: an xrun. Therefore the callback must never wait: not for other threads, files, "
                "new memory or the Python interpreter."
            ),
            watch=(
                "the bottom line: the present frames per block, DSP load (the callback's share of the time) and xruns."
            ),
            listen="Target (2): it plays without gaps, whatever you do in the window.",
            controls=MUSIC,
            expectations=(InRange("gain_db", -16.58, -16.38), NoXruns()),
            why=(
                "In rtgain one compiled function processes each block, from the dry signal to the output. It writes "
                "dry and target into *ring buffers*: memory that is overwritten when it is full. The ring buffers "
                "share one frame counter. A reader that is too slow loses frames and can detect which ones. The writer "
                "never waits for a reader."
            ),
            duration_s=3.0,
        ),
        Step(
            title="A short window",
            text=(
                "At every hop, the estimator reads the newest window. Here a window is 21 ms, and the target has "
                "noise. The estimate reacts quickly, but each single window has an error of {short_db:.2f} dB. ± is "
                "the uncertainty of the average over time."
            ),
            watch="the dotted closed form of single windows, which jumps around the estimate.",
            listen="Matched (3), when you type another reference gain: it follows at once.",
            controls={**MUSIC, "input": "pink", "noise_dbfs": -46.5, "window_ms": 21.3, "hop_ms": 21.3},
            expectations=(InRange("gain_db", -17.0, -16.0), InRange("std_db", 0.003, 0.25)),
            checks=(NumericCheck("short_db", 0.1, 0.4, "Single windows of 21 ms have an error of {short_db:.3f} dB."),),
            animation=(
                "Sound arrives in blocks. At every hop the estimator reads the newest window. Its estimate belongs to "
                "the center of the window."
            ),
        ),
        Step(
            title="A long window",
            text=(
                "Now a window is 341 ms. The error is only {long_db:.3f} dB, but an estimate belongs to the center of "
                "its window. The estimate is 171 ms old: its latency. A longer window has a smaller error and a larger "
                "latency; rtgain's default is a window of {window_ms:.0f} ms and a hop of {hop_ms:.0f} ms."
            ),
            watch="the closed form, now close to the estimate. Type another reference gain: both follow later.",
            listen="Matched (3), after you change the reference gain.",
            controls={**MUSIC, "input": "pink", "noise_dbfs": -46.5, "window_ms": 341.0},
            expectations=(InRange("gain_db", -16.7, -16.25), InRange("std_db", 0.001, 0.1)),
            checks=(
                NumericCheck("long_db", 0.02, 0.1, "Single windows of 341 ms have an error of {long_db:.3f} dB."),
                NumericCheck(
                    "slope", -0.7, -0.3, "The error is proportional to the window length to the power {slope:.2f}."
                ),
            ),
            why=(
                "In white noise, the smallest possible error falls with the square root of the window's length (the "
                "Cramér–Rao bound). It is then proportional to the length to the power −0.5; the measured power "
                "is {slope:.2f}. The latency grows with the length itself."
            ),
            figures={"windows": "The error of single windows against their length."},
        ),
        Step(
            title="An xrun",
            text=(
                "A block that is not ready in time is an xrun (step 1). Press “Simulate an xrun” to hear one: "
                "{gap_ms:.0f} ms of silence are inserted and counted, but no block is really late."
            ),
            watch="the xruns in the bottom line, and the estimate, which does not change.",
            listen="any signal: the gap is short but easy to hear.",
            controls=MUSIC,
            action="xrun",
            expectations=(
                InRange("xruns", 1, 100, deadline_s=60.0),
                InRange("gain_db", -16.58, -16.38, deadline_s=60.0),
            ),
            checks=(NumericCheck("gap_ms", 19.5, 20.5, "In the output, {gap_ms:.1f} ms of the music are missing."),),
            why=(
                "A callback that waits on purpose would cause a real xrun, and could stop the device. So rtgain writes "
                "silence over the output and counts one xrun. The ring buffers do not change, and neither does the "
                "estimate."
            ),
            figures={"xrun": "The music, and the output with the xrun."},
            sounds={
                "clean": "Three seconds of music.",
                "xrun": "The same music, with one xrun after a second and a half.",
            },
            duration_s=3.0,
        ),
        Step(
            title="Why the optimizer runs in its own process",
            text=(
                "SGD now takes up to 400 small steps per hop. While the estimate is far from the minimum, the steps of "
                "one hop take longer than a hop. Estimates are then late, windows are skipped, and the skipped sound "
                "is counted as “dropped”. The output is not affected: the optimizer is a separate process, which only "
                "reads the ring buffers."
            ),
            watch="the bottom line: the age of the estimate, and xruns, which do not rise. R restarts the estimate.",
            listen="Target (2): no clicks.",
            controls={**MUSIC, "optimizer": "SGD", "lr": 0.0001, "steps": 400},
            expectations=(InRange("gain_db", -16.7, -16.25, deadline_s=60.0), NoXruns()),
            why=(
                "In a single process, a callback in Python would have to wait for Python's lock while the optimizer or "
                "the graphical interface holds it. rtgain's callback is compiled and does not need this lock. The "
                "separate process also keeps the interface responsive, and limits a crash to the optimizer: the sound "
                "continues, and a new process starts from the last estimate."
            ),
            duration_s=4.0,
        ),
    ),
)
