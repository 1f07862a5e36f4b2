"""Lesson 4: why it never lands."""

from rtgain.lessons.expectations import Finding, Within
from rtgain.lessons.lesson import Lesson, Step

SINE = {"input": "sine", "align": "off", "loss": "spectral"}

LESSON = Lesson(
    name="why-it-never-lands",
    number=4,
    title="Why it never lands",
    about="Steps of one length cannot stop where they should. What other optimizers do about it.",
    animation="SGD with a fixed rate, its last 75 steps, and the loss near the optimum: to and fro for ever.",
    steps=(
        Step(
            title="SGD: a walk in equal steps",
            text=(
                "SGD with a small rate, one step a hop: two seconds to arrive. With a fixed rate it never comes to "
                "rest: it ends between {cycle_low_db:.2f} and {cycle_high_db:+.2f} dB of the optimum. (Live, "
                "rtgain stops it there.)"
            ),
            watch="the slope of the estimate: the rate decides how long the way takes.",
            listen="Matched (3), sinking slowly.",
            controls={**SINE, "optimizer": "SGD", "lr": 0.01, "steps": 1},
            expects=(Within("gain_db", -16.58, -16.38),),
            finds=(
                Finding("cycle_low_db", -0.73, -0.71, "SGD at 0.01 goes down to {cycle_low_db:.3f} dB below 0.15 …"),
                Finding("cycle_high_db", 0.44, 0.46, "… and up to {cycle_high_db:.3f} dB above it, for ever."),
            ),
            why=(
                "On an L1 loss the slope does not get smaller near the optimum. A step that is longer than what is "
                "left of the way leads past it, the next one back: a *limit cycle*. Here it spans "
                "{cycle_low_db:.2f} to {cycle_high_db:+.2f} dB. A smaller rate makes it smaller and the way "
                "longer.\n\nLive, rtgain's estimator gives each optimizer a rate that falls to nothing within a "
                "hop, and no step longer than the loss says the way is, so the cycle is not seen in the window: "
                "only here, where the rate is fixed."
            ),
            figures={
                ("optimizers"): (
                    "SGD, Adam and Rprop on one loss, from ×1, {steps:.0f} steps. Below: what is left, in dB, over "
                    "the last 100."
                ),
            },
            sounds={
                "target": "The target.",
                "cycle_low": "Matched at the lowest point of the cycle, {cycle_low_db:.2f} dB below it.",
            },
        ),
        Step(
            title="Adam: steps by habit",
            text=(
                "Adam measures how large gradients have been and steps by about its rate, whatever the level. "
                "Offline, at 0.02, its last 100 steps stay within {adam_db:.3f} dB of the optimum."
            ),
            watch="the estimate arrive at once: 24 steps a hop.",
            listen="Matched (3).",
            controls={**SINE, "optimizer": "Adam", "lr": 0.1, "steps": 24},
            expects=(Within("gain_db", -16.58, -16.38, by_s=3.0),),
            finds=(Finding("adam_db", 0.0, 0.2, "Adam's last 100 steps stay within {adam_db:.4f} dB."),),
            duration_s=2.0,
        ),
        Step(
            title="Rprop: halve the step, turn around",
            text=(
                "Rprop looks only at the sign of the gradient: same sign, longer step; other sign, it has passed "
                "the optimum, and the step is halved. After 60 steps it is {rprop_db:.4f} dB from the optimum. It "
                "is rtgain's default."
            ),
            watch="the estimate on the closed form (dotted), both on the reference.",
            listen="Difference (4): silence.",
            controls={**SINE, "optimizer": "Rprop"},
            expects=(Within("gain_db", -16.48, -16.476, by_s=3.0),),
            finds=(
                Finding(
                    "rprop_db", 0.0, 0.01, "After 60 steps of Rprop {rprop_db:.5f} dB are left to the closed form."
                ),
                Finding("closed_db", -0.005, 0.005, "The closed form is {closed_db:.5f} dB off 0.15."),
            ),
            why=(
                "For one gain nobody needs to descend at all: the closed form is the answer in one line. "
                "It is the judge of all optimizers here. Descent earns its keep where there is no closed form: "
                "with other losses, and with processors of more than one parameter (lesson 7)."
            ),
            duration_s=2.0,
        ),
        Step(
            title="40 dB quieter",
            text=(
                "The target is 40 dB lower. On a loss that is not normalized, everything 40 dB down, SGD at 0.01 "
                "has moved from ×1 to only ×{quiet_gain:.2f} after {steps:.0f} steps. rtgain's losses are divided "
                "by the target's level: it arrives as before."
            ),
            watch="the estimate at −56.48 dB as quickly as at −16.48.",
            listen="Target (2) is hardly there; the estimate does not mind.",
            controls={**SINE, "optimizer": "Rprop", "gain_db": -56.478175},
            expects=(Within("gain_db", -56.58, -56.38, by_s=3.0),),
            finds=(
                Finding(
                    "quiet_gain", 0.9, 1.0, "Both signals 40 dB down: SGD comes to {quiet_gain:.2f} instead of 0.15."
                ),
                Finding("slope_1024", 26, 30, "The slope on 1,024 samples of white noise is {slope_1024:.0f},"),
                Finding("slope_65536", 222, 232, "on 65,536 samples {slope_65536:.0f}: no rate suits both."),
                Finding("normalized_gap", 0.0, 1e-9, "Normalized, both traces are the same to {normalized_gap:.0e}."),
            ),
            why=(
                "The slope of the plain loss is the mean of |rfft(dry)|: about {slope_1024:.0f} for 1,024 samples "
                "of white noise, {slope_65536:.0f} for 65,536, and a hundred times less at −40 dB. There is no "
                "fixed rate for a live signal. Divided by the size of the target's spectrum, and taken on the "
                "logarithm of the gain, slopes lie between −1 and 1: rescaling the input gives the same trace, "
                "step for step."
            ),
            figures={
                ("levels"): (
                    "SGD at 0.01 on the plain loss at full level and 40 dB below; and on the normalized one, where "
                    "both traces are one."
                )
            },
            duration_s=2.0,
        ),
    ),
)
