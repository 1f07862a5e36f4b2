"""Lesson 3: listen to the spectrum."""

from rtgain.lessons.checks import InRange, NumericCheck
from rtgain.lessons.lesson import Lesson, Step

SINE = {"input": "sine", "align": "off", "loss": "spectral", "optimizer": "SGD", "lr": 0.1, "steps": 24}
WAVEFORM, POWER_1, POWER_2 = "waveform/SGD@0.1", "spectral/SGD@0.1", "spectral-power/SGD@0.1"
MUSIC = {**SINE, "input": "demo"}

LESSON = Lesson(
    name="spectral-loss",
    number=3,
    title="Spectral loss",
    summary="Compare how much there is of each frequency, not when it swings: the right gain is back.",
    steps=(
        Step(
            title="90°, heard as an ear does",
            text=(
                "The same target, turned by 90°. Only the loss is another: it compares the magnitudes of the spectra, "
                "how much there is of each frequency, which no turn of phase changes. The minimum is back at 0.15, and "
                "SGD goes there. A second estimate races beside it on the same sound: “waveform/SGD@0.1” is its loss "
                "and its optimizer, and @ is a rate that stays as it is."
            ),
            watch=(
                "the estimate on the reference, and “waveform/SGD@0.1” below; in “Loss against gain”, where either "
                "loss is least: the spectral one at 0.15, and at −0.15 too (the next step says why)."
            ),
            listen="Target (2) and Matched (3): one level.",
            controls={**SINE, "phase_deg": 90.0, "compare": (WAVEFORM,)},
            expectations=(InRange("gain_db", -16.58, -16.38), InRange("gain_db", -200.0, -30.0, comparison=WAVEFORM)),
            checks=(
                NumericCheck("gain_90", 0.135, 0.16, "On the spectral loss, turned by 90°, SGD ends at {gain_90:.3f}."),
                NumericCheck("minimum", 0.149, 0.151, "Its minimum, in closed form, is at {minimum:.4f}."),
            ),
            why=(
                "The loss is mean | |rfft(g · dry)| − |rfft(target)| |. *rfft*, a Fourier transform, parts a sound "
                "into its frequencies; each of them is a *bin*. Each bin is a straight line down to its own best gain "
                "and up again, so for g ≥ 0 the sum is *convex*: a bowl with one lowest place. Where that is can be "
                "said in closed form: the median of the bins' ratios, each counted with its size. That is the dotted "
                "line in the plot.\n\nIn this experiment SGD does not stand still there: it ends at {gain_90:.3f} and "
                "goes on to and fro, for its rate stays (lesson 4). rtgain lets the rate fall, and what plays comes to "
                "rest."
            ),
            figures={
                ("loss"): (
                    "Waveform and spectral loss for 100 gains from 0 to 2, the target turned by 90°, each divided "
                    "by its largest."
                ),
                "gain": "The gain, step by step, on the spectral loss.",
                "spectra": "Around 600 Hz: the magnitudes of dry, target and estimate.",
            },
            sounds={
                "target_90": "The target, turned by 90°.",
                "matched_90": "Matched on the spectral loss ({matched_90_db:+.1f} dB against the target).",
            },
            animation="The target turned by 90° again, with the spectral loss: the gain comes to 0.15, and swings.",
        ),
        Step(
            title="What it cannot tell: polarity",
            text=(
                "Now the target is inverted. A magnitude has no sign: +0.15 and −0.15 have the same loss. "
                "rtgain reads the sign elsewhere, from the phase between the two spectra."
            ),
            watch="the same gain; and the minus in ×−0.150, which the loss did not find.",
            listen="Difference (4): silent, because the polarity was found too.",
            controls={**SINE, "polarity": "invert"},
            expectations=(InRange("gain_db", -16.58, -16.38), InRange("polarity", -1, -1)),
            checks=(
                NumericCheck(
                    "sign_gap", -1e-6, 1e-6, "The spectral losses at +0.15 and −0.15 differ by {sign_gap:.1g}."
                ),
            ),
            why=(
                "Over negative gains too, the loss has the form of a W: two minima, and a descent ends in the one "
                "that is nearer."
            ),
            figures={
                ("powers"): (
                    "The spectral loss with magnitudes to the power 1 and 2, from −1 to 2, each divided by its "
                    "largest value."
                ),
            },
            duration_s=3.0,
        ),
        Step(
            title="The power",
            text=(
                "Magnitudes may be raised to a power before they are compared: “spectral-power” takes 2. Its minimum "
                "is at the same place, and the estimate finds it (by Rprop, which looks at no slope's size: lesson 4). "
                "But its slope grows with the gain: at ×1 it is {slope_ratio:.0f} times that of power 1. One step of "
                "SGD at a rate of 0.1 leads to {fallen_db:.1f} dB, where hardly any slope is left, and there it stays. "
                "(A swing is a gain's highest value of the last second less its lowest.)"
            ),
            watch=(
                "“spectral/SGD@0.1”, which swings about the reference; the other has fallen out of the plot (its gain "
                "is in the last line)."
            ),
            listen="Matched (3), as before.",
            controls={
                **SINE,
                "loss": "spectral-power",
                "optimizer": "Rprop",
                "lr": None,
                "steps": None,
                "compare": (POWER_1, POWER_2),
            },
            expectations=(
                InRange("gain_db", -16.58, -16.38),
                InRange("swing_db", 0.2, 1.74, comparison=POWER_1),
                InRange("gain_db", -200.0, -60.0, comparison=POWER_2),
            ),
            checks=(
                NumericCheck(
                    "power_2_minimum", 0.149, 0.151, "With power 2 the minimum is at {power_2_minimum:.4f} too."
                ),
                NumericCheck(
                    "power_2_first",
                    -80,
                    -78,
                    "On the plain loss of power 2, SGD's first step leads to ×{power_2_first:.1f}.",
                ),
                NumericCheck("fallen_db", -77.3, -77.1, "Live, at a rate of 0.1, it leads to {fallen_db:.2f} dB."),
            ),
            why=(
                "With power 1 a bin's slope is its magnitude; with power 2 it is twice the gain times its square, "
                "which here is {power_2_slope:.0f} at the start: on the gain itself, SGD at 0.01 jumps to "
                "{power_2_first:.0f} in one step. A rate that suits one is absurd for the other.\n\nDivided by the "
                "size of the target's spectrum, as rtgain's own losses are, and taken on the logarithm of the gain, "
                "the slopes at a gain g are g/0.15 and 2 (g/0.15)²: 1 and 2 at the goal, but {slope_1:.1f} and "
                "{slope_2:.1f} at ×1. A step of 0.1 times the latter is {fallen_db:.1f} dB."
            ),
            gain_axis_db=(-18.0, -15.0),
            duration_s=3.0,
        ),
        Step(
            title="What it cannot tell: delay",
            text=(
                "Music, and the target 5 ms late. A window that is cut at one time out of both hears two different "
                "pieces of music: the spectral loss is only roughly right. The estimate, an average over time, is "
                "off by about {late_db:.1f} dB; single windows at times by more than 1 dB."
            ),
            watch="closed form and least squares of single windows stray about the reference; the estimate near it.",
            listen="Difference (4): far from silent, though the gain is nearly right.",
            controls={**MUSIC, "delay_ms": 5.0},
            expectations=(InRange("gain_db", -17.5, -15.5),),
            checks=(NumericCheck("late_db", 0.05, 1.0, "5 ms late, the RMS error is {late_db:.2f} dB."),),
            duration_s=6.0,
        ),
        Step(
            title="So find the delay first",
            text=(
                "The same, with rtgain's alignment on: it finds the 5 ms from the phases of the spectra, "
                "and removes them before the loss sees anything."
            ),
            watch="the estimate snap onto the reference after a second or so.",
            listen="Difference (4): it falls silent at that moment.",
            controls={**MUSIC, "delay_ms": 5.0, "align": "on"},
            expectations=(
                InRange("delay_ms", 4.99, 5.01, deadline_s=8.0),
                InRange("gain_db", -16.53, -16.43, deadline_s=8.0),
            ),
            checks=(
                NumericCheck("found_s", 0.5, 2.0, "From {found_s:.2f} seconds on it is within a tenth of a decibel."),
            ),
            duration_s=6.0,
        ),
    ),
)
