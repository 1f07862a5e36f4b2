"""Lesson 6: live."""

from rtgain.lessons.checks import InRange, NoXruns, NumericCheck
from rtgain.lessons.lesson import Lesson, Step

MUSIC = {"input": "demo", "loss": "spectral", "optimizer": "Rprop", "align": "off"}

LESSON = Lesson(
    name="real-time",
    number=6,
    title="Blocks, latency and xruns",
    summary=(
        "Sound does not wait: who makes it in time, how late an estimate comes, and why the optimizer lives elsewhere."
    ),
    steps=(
        Step(
            title="Blocks and the callback",
            text=(
                "The device asks for a block at a time: 256 frames (samples) at 48 kHz would be {block_ms:.1f} ms. A "
                "function, the callback, must fill each before the next is due; where it is late, something else is "
                "heard: an xrun. It may wait for nothing: no lock, no file, no memory, no Python."
            ),
            watch="the bottom line: frames a block, what share of its time the callback takes, and the xruns.",
            listen="Target (2): it plays on, whatever the window does.",
            controls=MUSIC,
            expectations=(InRange("gain_db", -16.58, -16.38), NoXruns()),
            why=(
                "In rtgain one compiled function takes every block from dry to what is heard, and writes dry and "
                "target into *rings*: memory that is overwritten when it is full, under one counter of frames for "
                "both. Whoever reads too late has lost something, and can tell what; the writer never knows."
            ),
            duration_s=3.0,
        ),
        Step(
            title="Windows and hops: a short window",
            text=(
                "Every hop, the estimator reads the newest window. Here 21 ms, in noise: it is quick, "
                "and each window alone errs by {short_db:.2f} dB. ± says how sure the average over time is."
            ),
            watch="the dotted closed form of single windows jump about the estimate.",
            listen="Matched (3), when you type another reference gain: it is there at once.",
            controls={**MUSIC, "input": "pink", "noise_dbfs": -46.5, "window_ms": 21.3, "hop_ms": 21.3},
            expectations=(InRange("gain_db", -17.0, -16.0), InRange("std_db", 0.003, 0.25)),
            checks=(NumericCheck("short_db", 0.1, 0.4, "Single windows of 21 ms err by {short_db:.3f} dB."),),
            animation=(
                "Sound comes piece by piece. At every hop a window is cut out of the newest, and its estimate speaks "
                "of its center."
            ),
        ),
        Step(
            title="A long window",
            text=(
                "Now 341 ms: each window errs by {long_db:.3f} dB, but its center, which it speaks of, is 171 ms ago. "
                "Latency (how late one knows) against accuracy: with {window_ms:.0f} ms and a hop of {hop_ms:.0f} "
                "ms rtgain stands between."
            ),
            watch="the closed form close to the estimate; type another gain, and both come later.",
            listen="Matched (3), when the gain is another.",
            controls={**MUSIC, "input": "pink", "noise_dbfs": -46.5, "window_ms": 341.0},
            expectations=(InRange("gain_db", -16.7, -16.25), InRange("std_db", 0.001, 0.1)),
            checks=(
                NumericCheck("long_db", 0.02, 0.1, "Single windows of 341 ms err by {long_db:.3f} dB."),
                NumericCheck("slope", -0.7, -0.3, "The error falls with the window's length to the power {slope:.2f}."),
            ),
            why=(
                "The error falls with the square root of the length, as the bound for white noise says it must "
                "(Cramér and Rao): measured, to the power {slope:.2f}. The latency grows with the length itself."
            ),
            figures={"windows": "The error of single windows against their length."},
        ),
        Step(
            title="An xrun",
            text=(
                "When a block is not ready in time, the device plays something else: an xrun. Press “Make an xrun” "
                "to hear one. It is a safe one: {gap_ms:.0f} ms of silence, put in and counted. Nothing is really "
                "late."
            ),
            watch="xruns in the bottom line; and the estimate, which does not notice.",
            listen="any signal: the hole is short, and yet everybody hears it.",
            controls=MUSIC,
            action="xrun",
            expectations=(
                InRange("xruns", 1, 100, deadline_s=60.0),
                InRange("gain_db", -16.58, -16.38, deadline_s=60.0),
            ),
            checks=(NumericCheck("gap_ms", 19.5, 20.5, "{gap_ms:.1f} ms of the music are missing."),),
            why=(
                "A callback that waited on purpose would make a real one, and might take the device down with it. "
                "So rtgain writes silence over what is heard, and counts: the rings, and with them the estimate, "
                "are as they were."
            ),
            figures={"xrun": "The music, and what is heard of it."},
            sounds={"clean": "Three seconds of music.", "xrun": "The same, with one xrun after a second and a half."},
            duration_s=3.0,
        ),
        Step(
            title="Why the optimizer lives elsewhere",
            text=(
                "SGD now takes up to 400 small steps a hop. As long as it is on its way there is no time for so many: "
                "the estimates come late, and what they leave out is “dropped”. The sound does not care: the optimizer "
                "is a process of its own, and only reads the rings, the memory where the callback leaves dry and "
                "target."
            ),
            watch="the bottom line: how old the estimate is, and xruns, which do not rise. R lets it begin anew.",
            listen="Target (2): not a click.",
            controls={**MUSIC, "optimizer": "SGD", "lr": 0.0001, "steps": 400},
            expectations=(InRange("gain_db", -16.7, -16.25, deadline_s=60.0), NoXruns()),
            why=(
                "In one process Python's lock would let either the optimizer or the window or the callback run. "
                "If the optimizer's process dies, the sound goes on, and it is started again from the last estimate."
            ),
            duration_s=4.0,
        ),
    ),
)
