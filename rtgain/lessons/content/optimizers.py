"""Lesson 4: step size, limit cycles and optimizers."""

import math

from rtgain.lessons.checks import InRange, NumericCheck
from rtgain.lessons.lesson import Lesson, Step

SINE = {"input": "sine", "align": "off", "loss": "spectral"}
SLOW_SGD, SGD, ADAM, RPROP = "spectral/SGD@0.01", "spectral/SGD@0.3", "spectral/Adam@0.3", "spectral/Rprop@0.3"
MAX_CYCLE_DB = 2 * 0.3 * 20 / math.log(10)
"""Largest width of a limit cycle: two steps of 0.3 on the logarithm of the gain."""

LESSON = Lesson(
    name="optimizers",
    number=4,
    title="Step size, limit cycles and optimizers",
    summary="Steps of a fixed length cannot stop at the right gain; better optimizers shorten their steps.",
    steps=(
        Step(
            title="SGD: it never comes to rest",
            text=(
                "The estimate uses SGD with a small learning rate and one step per hop: it needs {arrive_s:.1f} "
                "seconds. The comparison “spectral/SGD@0.3” has the fixed learning rate 0.3. It arrives at once and "
                "never comes to rest: it swings between {sgd_low_db:.2f} and {sgd_high_db:.2f} dB forever. (The loss "
                "falls in a straight line, so loss ÷ slope is the distance to the minimum. rtgain never steps farther "
                "than that, so its estimate comes to rest.)"
            ),
            watch=(
                "the slow descent of the estimate, and the line “spectral/SGD@0.3”, which swings around the "
                "reference. Press R to see it again."
            ),
            listen="Matched (3): the estimate, which slowly gets quieter.",
            controls={**SINE, "optimizer": "SGD", "lr": 0.01, "steps": 1, "compare": (SGD,)},
            expectations=(InRange("gain_db", -16.58, -16.38), InRange("swing_db", 4.0, MAX_CYCLE_DB, comparison=SGD)),
            checks=(
                NumericCheck(
                    "cycle_low_db",
                    -0.73,
                    -0.71,
                    "SGD at a learning rate of 0.01 goes down to {cycle_low_db:+.3f} dB relative to 0.15.",
                ),
                NumericCheck("cycle_high_db", 0.44, 0.46, "It goes up to {cycle_high_db:+.3f} dB relative to 0.15."),
                NumericCheck(
                    "sgd_swing_db",
                    4.0,
                    MAX_CYCLE_DB,
                    "Live, at a learning rate of 0.3, it swings by {sgd_swing_db:.2f} dB.",
                ),
            ),
            why=(
                "The slope of a mean distance (an L1 loss) does not get smaller near the optimum. A step that is "
                "longer than the remaining distance leads past the optimum, and the next step leads back: a *limit "
                "cycle*. In the figure, SGD changes the gain itself, at a learning rate of 0.01. Its cycle spans "
                "{cycle_low_db:.2f} to {cycle_high_db:+.2f} dB around 0.15. A smaller learning rate makes the cycle "
                "smaller and the descent slower.\n\nLive, a step of 0.3 on the logarithm of the gain is {step_db:.2f} "
                "dB near the reference. A cycle is at most two steps wide. rtgain's own estimator avoids cycles in two "
                "ways. The learning rate of each optimizer except Rprop falls to zero within a hop, and no step is "
                "longer than loss ÷ slope. Only comparisons with a rate (“@0.3”) use the optimizers of PyTorch "
                "unchanged. PyTorch is the library that computes the gradients."
            ),
            figures={
                "optimizers": (
                    "SGD, and the optimizers of the next two steps, on the same loss, starting at ×1, for "
                    "{steps:.0f} steps. Below: the error in dB over the last 100 steps."
                ),
            },
            sounds={
                "target": "The target.",
                "cycle_low": (
                    "The matched signal at the lowest gain of the cycle: {cycle_low_db:+.2f} dB relative to the target."
                ),
            },
            animation=(
                "The last 75 steps of SGD with a fixed learning rate, and the loss near the optimum: back and forth "
                "forever."
            ),
        ),
        Step(
            title="Adam: steps scaled by gradient history",
            text=(
                "Adam divides each gradient by a running average of the size of the previous gradients. Its steps are "
                "therefore about as long as the learning rate, whatever the level. At a fixed learning rate it does "
                "not come to rest either: at 0.3 it swings by about {adam_swing_db:.0f} dB, and SGD by "
                "{sgd_swing_db:.1f} dB."
            ),
            watch=(
                "the two comparisons, “spectral/SGD@0.3” and “spectral/Adam@0.3”; the estimate uses Adam with the "
                "safeguards of step 1."
            ),
            listen="Matched (3): the estimate.",
            controls={**SINE, "optimizer": "Adam", "lr": 0.1, "steps": 24, "compare": (SGD, ADAM)},
            expectations=(
                InRange("gain_db", -16.58, -16.38, deadline_s=3.0),
                InRange("swing_db", 4.0, MAX_CYCLE_DB, comparison=SGD),
                InRange("swing_db", 1.5, 3.0, comparison=ADAM),
            ),
            checks=(
                NumericCheck(
                    "adam_swing_db", 1.5, 3.0, "Live, at a learning rate of 0.3, it swings by {adam_swing_db:.2f} dB."
                ),
                NumericCheck(
                    "adam_db",
                    0.0,
                    0.2,
                    "The last 100 steps of Adam, at a learning rate of 0.02, are within {adam_db:.4f} dB of 0.15.",
                ),
            ),
            gain_axis_db=(-19.0, -13.5),
            duration_s=2.0,
        ),
        Step(
            title="Rprop: only the sign counts",
            text=(
                "Rprop uses only the sign of the gradient. If the sign is the same as before, the next step is longer. "
                "If the sign has changed, the optimum was passed, and the step is halved. Rprop starts with a step of "
                "0.3, too, but its swing falls below 0.05 dB. Rprop is rtgain's default."
            ),
            watch=(
                "“spectral/Rprop@0.3”, the estimate and the closed form (dotted), which all lie on the reference. SGD "
                "swings around them."
            ),
            listen="Difference (4): silence.",
            controls={**SINE, "optimizer": "Rprop", "compare": (SGD, RPROP)},
            expectations=(
                InRange("gain_db", -16.48, -16.476, deadline_s=3.0),
                InRange("swing_db", 4.0, MAX_CYCLE_DB, comparison=SGD),
                InRange("swing_db", 0.0, 0.05, comparison=RPROP),
            ),
            checks=(
                NumericCheck(
                    "rprop_db", 0.0, 0.01, "After 60 steps, Rprop differs from the closed form by {rprop_db:.5f} dB."
                ),
                NumericCheck("closed_db", -0.005, 0.005, "The closed form differs from 0.15 by {closed_db:.5f} dB."),
            ),
            why=(
                "One gain does not need a descent: the closed form gives it in one line. Here the optimizers are "
                "compared with it. A descent is necessary where there is no closed form: with other losses, and with "
                "processors of more than one parameter (lesson 7)."
            ),
            gain_axis_db=(-19.0, -13.5),
            duration_s=2.0,
        ),
        Step(
            title="Learning rate and level",
            text=(
                "The target is 40 dB quieter, and the slope at ×1 is a hundred times as steep. At a learning rate of "
                "0.3, the first step of SGD now leads to the lowest gain that rtgain permits ({diverged_db:.0f} dB). "
                "There the slope is almost zero, so SGD cannot return. At a learning rate of 0.01, SGD arrives. No "
                "fixed learning rate is right for every live signal. Rprop ignores the size of the slope."
            ),
            watch=(
                "“spectral/SGD@0.01”, which lies on the estimate. “spectral/SGD@0.3” is below the plot (its gain is in "
                "the last line of this panel)."
            ),
            listen="Target (2): almost inaudible. The estimate does not depend on the level.",
            controls={**SINE, "optimizer": "Rprop", "gain_db": -56.478175, "compare": (SLOW_SGD, SGD)},
            expectations=(
                InRange("gain_db", -56.58, -56.38, deadline_s=3.0),
                InRange("gain_db", -56.7, -56.2, comparison=SLOW_SGD),
                InRange("gain_db", -200.0, -120.0, comparison=SGD),
            ),
            checks=(
                NumericCheck(
                    "quiet_gain",
                    0.9,
                    1.0,
                    "With both signals 40 dB quieter, SGD ends at {quiet_gain:.2f} instead of 0.15.",
                ),
                NumericCheck("slope_1024", 26, 30, "The slope on 1,024 samples of white noise is {slope_1024:.0f}."),
                NumericCheck(
                    "slope_65536", 222, 232, "The slope on 65,536 samples of white noise is {slope_65536:.0f}."
                ),
                NumericCheck(
                    "normalized_gap",
                    0.0,
                    1e-9,
                    "With the normalized loss, the descents at both levels differ by {normalized_gap:.0e}.",
                ),
            ),
            why=(
                "In this step the loss is normalized, and only the target is quieter. The experiment also uses the "
                "loss without normalization, with both signals quieter: there the slope is a hundred times smaller. "
                "This slope is the mean of |rfft(dry)|. At −40 dB, SGD at 0.01 moves from ×1 to only ×{quiet_gain:.2f} "
                "in {steps:.0f} steps. The slope also depends on the length. For white noise (all frequencies equally "
                "strong) it is about {slope_1024:.0f} with 1,024 samples, and {slope_65536:.0f} with 65,536.\n\nWith a "
                "normalized loss on the logarithm of the gain, the slope at the reference gain is 1 at every level. If "
                "both signals are scaled, the descent is the same, step for step. The slope still depends on the "
                "distance: at a gain g it is g divided by the reference gain. Therefore rtgain limits each step to "
                "loss ÷ slope (step 1)."
            ),
            figures={
                "levels": (
                    "SGD on the gain itself. Above: the loss without normalization, at a learning rate of 0.01. "
                    "Below: the normalized loss, at 0.001, where both levels give the same descent. Left: full level. "
                    "Right: 40 dB quieter."
                )
            },
            duration_s=2.0,
        ),
    ),
)
