"""Lesson 4: why it never lands."""

import math

from rtgain.lessons.checks import InRange, NumericCheck
from rtgain.lessons.lesson import Lesson, Step

SINE = {"input": "sine", "align": "off", "loss": "spectral"}
SLOW_SGD, SGD, ADAM, RPROP = "spectral/SGD@0.01", "spectral/SGD@0.3", "spectral/Adam@0.3", "spectral/Rprop@0.3"
WIDEST_DB = 2 * 0.3 * 20 / math.log(10)
"""Two steps of 0.3 on the logarithm of the gain: a cycle about the goal is not wider."""

LESSON = Lesson(
    name="optimizers",
    number=4,
    title="Step size, limit cycles and optimizers",
    summary="Steps of one length cannot stop where they should. What other optimizers do about it.",
    steps=(
        Step(
            title="SGD: it cannot stand still",
            text=(
                "The estimate is SGD with a small rate, one step a hop: {arrive_s:.1f} seconds to arrive. Beside it "
                "races SGD at a rate that stays at 0.3. It is there at once and never comes to rest: it swings "
                "between {sgd_low_db:.2f} and {sgd_high_db:.2f} dB for ever. (rtgain lets no step of its own be longer "
                "than the loss says the way is, and so it lands.)"
            ),
            watch=(
                "the slope of the estimate; and the line “spectral/SGD@0.3”, which swings about the reference. "
                "Press R to see it again."
            ),
            listen="Matched (3): the estimate, sinking slowly.",
            controls={**SINE, "optimizer": "SGD", "lr": 0.01, "steps": 1, "compare": (SGD,)},
            expectations=(InRange("gain_db", -16.58, -16.38), InRange("swing_db", 4.0, WIDEST_DB, comparison=SGD)),
            checks=(
                NumericCheck(
                    "cycle_low_db",
                    -0.73,
                    -0.71,
                    "SGD at 0.01 goes down to {cycle_low_db:+.3f} dB against 0.15, for ever.",
                ),
                NumericCheck(
                    "cycle_high_db", 0.44, 0.46, "It goes up to {cycle_high_db:+.3f} dB against 0.15, for ever."
                ),
                NumericCheck("sgd_swing_db", 4.0, WIDEST_DB, "Live, at 0.3, it swings by {sgd_swing_db:.2f} dB."),
            ),
            why=(
                "On a loss that is a mean distance (L1) the slope does not get smaller near the optimum. A step "
                "that is longer than what is "
                "left of the way leads past it, the next one back: a *limit cycle*. In the figure, on the gain itself "
                "and at 0.01, it spans {cycle_low_db:.2f} to {cycle_high_db:+.2f} dB about 0.15. A smaller rate makes "
                "it smaller and the way longer.\n\nLive, a step of 0.3 on the logarithm of the gain is {step_db:.2f} "
                "dB near the goal, and a cycle is not wider than two of them. rtgain's own estimator gives each "
                "optimizer a rate that falls to nothing within a hop, and no step longer than the loss says the way "
                "is. Only the race has it as torch does, the library that they come from."
            ),
            figures={
                ("optimizers"): (
                    "SGD, and those of the next two steps, on one loss, from ×1, {steps:.0f} steps. Below: what is "
                    "left, in dB, over "
                    "the last 100."
                ),
            },
            sounds={
                "target": "The target.",
                "cycle_low": "Matched at the lowest point of the cycle: {cycle_low_db:+.2f} dB against the target.",
            },
            animation="SGD with a fixed rate, its last 75 steps, and the loss near the optimum: to and fro for ever.",
        ),
        Step(
            title="Adam: steps by habit",
            text=(
                "Adam measures how large gradients have been and steps by about its rate, whatever the level. At a "
                "fixed rate it does not come to rest either: at 0.3 it swings by about {adam_swing_db:.0f} dB, where "
                "SGD swings by {sgd_swing_db:.1f}."
            ),
            watch="the two lines that race, “spectral/SGD@0.3” and “spectral/Adam@0.3”; the estimate is rtgain's Adam.",
            listen="Matched (3): the estimate.",
            controls={**SINE, "optimizer": "Adam", "lr": 0.1, "steps": 24, "compare": (SGD, ADAM)},
            expectations=(
                InRange("gain_db", -16.58, -16.38, deadline_s=3.0),
                InRange("swing_db", 4.0, WIDEST_DB, comparison=SGD),
                InRange("swing_db", 1.5, 3.0, comparison=ADAM),
            ),
            checks=(
                NumericCheck("adam_swing_db", 1.5, 3.0, "Live, at 0.3, it swings by {adam_swing_db:.2f} dB."),
                NumericCheck("adam_db", 0.0, 0.2, "Adam's last 100 steps, at 0.02, stay within {adam_db:.4f} dB."),
            ),
            gain_axis_db=(-19.0, -13.5),
            duration_s=2.0,
        ),
        Step(
            title="Rprop: halve the step, turn around",
            text=(
                "Rprop looks only at the sign of the gradient: same sign, longer step; other sign, it has passed "
                "the optimum, and the step is halved. With a first step of 0.3 too, it is left with a swing of "
                "less than 0.05 dB. It is rtgain's default."
            ),
            watch=(
                "“spectral/Rprop@0.3”, the estimate and the closed form (dotted), one upon the other on the reference; "
                "and SGD's swing about them."
            ),
            listen="Difference (4): silence.",
            controls={**SINE, "optimizer": "Rprop", "compare": (SGD, RPROP)},
            expectations=(
                InRange("gain_db", -16.48, -16.476, deadline_s=3.0),
                InRange("swing_db", 4.0, WIDEST_DB, comparison=SGD),
                InRange("swing_db", 0.0, 0.05, comparison=RPROP),
            ),
            checks=(
                NumericCheck(
                    "rprop_db", 0.0, 0.01, "After 60 steps of Rprop {rprop_db:.5f} dB are left to the closed form."
                ),
                NumericCheck("closed_db", -0.005, 0.005, "The closed form is {closed_db:.5f} dB off 0.15."),
            ),
            why=(
                "For one gain nobody needs to descend at all: the closed form is the answer in one line. "
                "It is the judge of all optimizers here. Descent earns its keep where there is no closed form: "
                "with other losses, and with processors of more than one parameter (lesson 7)."
            ),
            gain_axis_db=(-19.0, -13.5),
            duration_s=2.0,
        ),
        Step(
            title="The rate against the level",
            text=(
                "The target is 40 dB lower, and at ×1 the slope a hundred times steeper. At 0.3, which stayed near "
                "a moment ago, SGD's first step leads to the lowest gain that rtgain knows ({fallen_db:.0f} dB), where "
                "no slope is left to come back on; at 0.01 it arrives. No fixed rate serves a live signal. Rprop looks "
                "at no slope's size."
            ),
            watch=(
                "“spectral/SGD@0.01” on the estimate, and “spectral/SGD@0.3” fallen out of the plot (its gain is in "
                "the last line)."
            ),
            listen="Target (2) is hardly there; the estimate does not mind.",
            controls={**SINE, "optimizer": "Rprop", "gain_db": -56.478175, "compare": (SLOW_SGD, SGD)},
            expectations=(
                InRange("gain_db", -56.58, -56.38, deadline_s=3.0),
                InRange("gain_db", -56.7, -56.2, comparison=SLOW_SGD),
                InRange("gain_db", -200.0, -120.0, comparison=SGD),
            ),
            checks=(
                NumericCheck(
                    "quiet_gain", 0.9, 1.0, "Both signals 40 dB down: SGD comes to {quiet_gain:.2f} instead of 0.15."
                ),
                NumericCheck("slope_1024", 26, 30, "The slope on 1,024 samples of white noise is {slope_1024:.0f}."),
                NumericCheck(
                    "slope_65536", 222, 232, "The slope on 65,536 samples is {slope_65536:.0f}: no rate suits both."
                ),
                NumericCheck(
                    "normalized_gap", 0.0, 1e-9, "Normalized, both traces are the same to {normalized_gap:.0e}."
                ),
            ),
            why=(
                "The slope of the plain loss is the mean of |rfft(dry)|: about {slope_1024:.0f} for 1,024 samples "
                "of white noise, {slope_65536:.0f} for 65,536, and a hundred times less at −40 dB: with everything 40 "
                "dB down, SGD at 0.01 has moved from ×1 to only ×{quiet_gain:.2f} after {steps:.0f} steps. There is no "
                "fixed rate for a live signal.\n\n*Normalized*, that is divided by the size of the target's spectrum, "
                "and taken on the logarithm of the gain, the slope at the goal is 1 whatever the level: rescaling the "
                "input gives the same trace, step for step. What is left is how far away the goal is: at a gain g the "
                "slope is g over the goal's. There rtgain lets no step be longer than the loss says the way is."
            ),
            figures={
                ("levels"): (
                    "On the gain itself: SGD at 0.01 on the plain loss, at full level and 40 dB below; and at 0.001 "
                    "on the normalized one, where both traces are one."
                )
            },
            duration_s=2.0,
        ),
    ),
)
