"""Lesson 1: gradient descent on one gain."""

from rtgain.lessons.checks import InRange, NumericCheck
from rtgain.lessons.lesson import Lesson, Step

SLOW_SGD = {"input": "sine", "align": "off", "loss": "waveform", "optimizer": "SGD", "lr": 0.01, "steps": 1}

LESSON = Lesson(
    name="gradient-descent",
    number=1,
    title="Gradient descent on one gain",
    summary="rtgain starts with a guess and finds the gain between two sines in small steps.",
    steps=(
        Step(
            title="Find a gain",
            text=(
                "The dry signal is a sine, the target this sine times 0.15 ({target_db:.2f} dB). rtgain does not get "
                "this number and first guesses ×1 (0 dB). About every 21 ms (a hop) it takes the newest 85 ms or so of "
                "sound (the window). It computes the loss: a number for how much the dry sine, at the guessed gain, "
                "differs from the target. Then it changes the guess by a small step that makes the loss smaller. This "
                "is gradient descent. The rule for the steps is the optimizer; here it is SGD. The dotted line is the "
                "closed form: the best gain, computed directly by a formula."
            ),
            watch=(
                "“Gain over time”: the estimate starts at 0 dB and approaches the reference (the gain of the target). "
                "Press R to restart it."
            ),
            listen="Dry (key 1), Target (key 2), and Matched (key 3), the dry sine at the estimated gain.",
            controls=SLOW_SGD,
            expectations=(InRange("gain_db", -16.58, -16.38),),
            checks=(
                NumericCheck("gain", 0.14, 0.16, "After {steps:.0f} steps of SGD the gain is {gain:.3f}."),
                NumericCheck(
                    "arrival_step",
                    100,
                    150,
                    "The gain first comes within one step of 0.15 after {arrival_step:.0f} steps.",
                ),
            ),
            why=(
                "Let g be the guessed gain. The *loss* is the mean distance between g · dry and the target, sample by "
                "sample: mean |g · dry − target|. A mean of absolute values is called an L1 loss. The loss is "
                "{loss_start:.3f} at g = 1 and 0 at g = 0.15. The *gradient* is the slope of the loss: the change of "
                "the loss divided by the change of g, for a small change. Gradient descent moves g against the slope: "
                "g ← g − learning rate · gradient. The learning rate is a small number that sets the length of a step. "
                "This is the whole method.\n\nIf g is above 0.15, the gradient is the mean of |dry|. If g is below "
                "0.15, it is minus this mean. For a sine the mean is 2/π = {slope:.3f}. With a learning rate of 0.01, "
                "each step changes g by {step:.4f}. The way from 1 to 0.15 therefore takes {arrival_step:.0f} "
                "steps.\n\nThis is the textbook method, and the experiment runs it. Its last steps jump over 0.15 and "
                "back, so it ends at {gain:.3f} (lesson 4 explains why). The live estimate differs from it. It limits "
                "each step (lesson 4). It averages the results of the windows. It changes the logarithm of the gain. "
                "Its loss is divided by the size of the target, so that the level does not matter. Above 0.15 this "
                "loss is (g − 0.15) / 0.15. Plotted against the logarithm of the gain, its slope is g / 0.15: steep at "
                "×1, so the first steps are long.\n\nSGD stands for stochastic gradient descent. “Stochastic” (random) "
                "refers to training on randomly chosen data; nothing is random here. The sine has 300 cycles in half a "
                "second: 600 Hz."
            ),
            figures={
                "waveforms": (
                    "The first 200 samples of dry, target and matched after the last step. The target lies on the "
                    "matched signal."
                ),
                "loss": (
                    "The loss for 100 gains from 0 to 2. It falls in a straight line until the gain is 0.15. Then it "
                    "rises in a straight line."
                ),
                "gain": (
                    "The gain at each step. All steps have the same length, because the loss is "
                    "equally steep everywhere."
                ),
            },
            sounds={
                "dry": "The dry sine.",
                "target": "The target: {target_db:.2f} dB.",
                "descent": "The descent as sound: the dry sine at the gain of each step, 100 steps per second.",
            },
            animation="300 small steps: the point moves down the loss, and the matched signal shrinks to the target.",
        ),
        Step(
            title="Change the reference gain",
            text=(
                "The reference gain is now −6 dB (×{half:.3f}). The estimate restarts at 0 dB and finds this gain, "
                "too: it needs only the two signals. Now move “Gain” in the panel “Target”: the estimate follows, and "
                "the check pauses."
            ),
            watch="the estimate, which approaches the new reference. It starts closer to the reference than before.",
            listen="Difference (4), which is target minus matched. It fades out as the estimate arrives.",
            controls={**SLOW_SGD, "gain_db": -6.0},
            expectations=(InRange("gain_db", -6.1, -5.9),),
            why=(
                "The descent has no information about how the target was made. It uses two signals and a loss. It "
                "would find the gain of a fader in the same way. (A room also delays the sound: lesson 3.)"
            ),
        ),
        Step(
            title="Larger steps",
            text=(
                "The learning rate, which sets the length of a step, is ten times as large. “Steps per hop” is 24 "
                "instead of 1. The estimate arrives before you can see it move; lesson 4 is about the price of large "
                "steps. In the legend, “least squares” is the gain with the smallest squared distance between the "
                "samples of target and matched signal. “± 1 std” is the uncertainty of the estimate, one standard "
                "deviation. “± bound” is the smallest uncertainty that an estimate from one window can have."
            ),
            watch="the estimate: it is on the reference already. Press R: it returns at once.",
            listen="Matched (3): the change is almost too fast to hear.",
            controls={**SLOW_SGD, "lr": 0.1, "steps": 24},
            expectations=(InRange("gain_db", -16.58, -16.38, deadline_s=1.5),),
            duration_s=3.0,
        ),
    ),
)
