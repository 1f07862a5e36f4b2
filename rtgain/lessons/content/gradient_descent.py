"""Lesson 1: a gain that learns."""

from rtgain.lessons.checks import InRange, NumericCheck
from rtgain.lessons.lesson import Lesson, Step

SLOW_SGD = {"input": "sine", "align": "off", "loss": "waveform", "optimizer": "SGD", "lr": 0.01, "steps": 1}

LESSON = Lesson(
    name="gradient-descent",
    number=1,
    title="Gradient descent on one gain",
    summary="A number is found by walking downhill: the gain between a sine and the same sine turned down.",
    steps=(
        Step(
            title="The question",
            text=(
                "The target is the dry sine times 0.15, which is {target_db:.2f} dB. rtgain is not told. It starts "
                "at ×1 (0 dB). Every 21 ms (a hop) it looks at the newest 85 ms of sound (its window): how far is my "
                "guess from the target (the loss), and which way is it less? It takes a small step that way. That is "
                "gradient descent; who steps is the optimizer, here SGD. Dotted, the closed form: the best gain by a "
                "formula."
            ),
            watch="in “Gain over time”, the estimate leave 0 dB and come down to the reference. Press R to begin anew.",
            listen="Dry (key 1), Target (key 2), and Matched (key 3), which becomes the target.",
            controls=SLOW_SGD,
            expectations=(InRange("gain_db", -16.58, -16.38),),
            checks=(
                NumericCheck("gain", 0.14, 0.16, "After {steps:.0f} steps of SGD the gain is {gain:.3f}."),
                NumericCheck("reached", 100, 150, "It came within a step of 0.15 after {reached:.0f} steps."),
            ),
            why=(
                "The *loss* is the mean distance between the guess and the target, sample by sample: mean |g · dry "
                "− target|, called L1. It is {loss_start:.3f} at g = 1 and nothing at 0.15. Its *gradient* "
                "says how "
                "fast it grows with g. Descent takes a step against it: g ← g − rate · gradient. That is all.\n\n"
                "Here the gradient is the mean of |dry|, which for a sine is 2/π = {slope:.3f}. The rate is 0.01, "
                "so each step moves g by {step:.4f}, and the way from 1 to 0.15 takes {reached:.0f} steps.\n\nThat "
                "is this experiment, as textbooks have it: its last step still leads past 0.15, to {gain:.3f} "
                "(lesson 4). What plays beside it walks on the logarithm of the gain, with a loss that is divided by "
                "the target: the level does not matter to it. It falls fast at first, for the slope there is the gain "
                "over the target's, and the loss is 1 at a gain of 0.\n\nSGD is short for stochastic gradient descent. "
                "The sine has 300 cycles in half a second: that is 600 Hz."
            ),
            figures={
                (
                    "waveforms"
                ): "The first 200 samples: dry, target, and the estimate after the last step: the target lies on it.",
                ("loss"): (
                    "The loss for 100 gains from 0 to 2. It is a straight line down to 0.15 and a straight line up "
                    "again."
                ),
                (
                    "gain"
                ): "The gain, step by step. All steps are of one length, because it is equally steep everywhere.",
            },
            sounds={
                "dry": "The dry sine.",
                "target": "The target: {target_db:.2f} dB.",
                "descent": "What descent sounds like: the dry sine at the gain of each step, 100 steps a second.",
            },
            animation="300 small steps downhill: the point walks down, and the estimate sinks onto the target.",
        ),
        Step(
            title="Move the goal",
            text=(
                "The reference is now −6 dB (×{half:.3f}). Nothing is told to the estimate, which begins anew at 0 dB "
                "and finds this one too. Now move the reference gain yourself: it comes along wherever you go."
            ),
            watch="the estimate walk to the new line. It has less far to go than before.",
            listen="Difference (4): target minus matched. It fades to nothing as the estimate arrives.",
            controls={**SLOW_SGD, "gain_db": -6.0},
            expectations=(InRange("gain_db", -6.1, -5.9),),
            why=(
                "Nothing in the loop knows how the target was made. It is given two signals and a loss, "
                "and would do the same for a gain that a mixing desk or a room has applied."
            ),
        ),
        Step(
            title="Larger steps",
            text=(
                "Steps ten times as long (Rate), and 24 of them each time (Steps) in place of one: it is there "
                "before you can look. Speed is a choice; lesson 4 is about what it costs. (In the legend: “least "
                "squares” is a best gain "
                "too, by squared distances; “± one std” is how sure the estimate is, a standard deviation; “± "
                "bound” is "
                "how sure any estimate could be.)"
            ),
            watch="the estimate: it is on the line already. Press R: it is back before you can see it leave.",
            listen="Matched (3): you will hardly hear it move.",
            controls={**SLOW_SGD, "lr": 0.1, "steps": 24},
            expectations=(InRange("gain_db", -16.58, -16.38, deadline_s=1.5),),
            duration_s=3.0,
        ),
    ),
)
