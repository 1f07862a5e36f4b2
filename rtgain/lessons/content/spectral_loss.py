"""Lesson 3: spectral loss."""

from rtgain.lessons.checks import InRange, NumericCheck
from rtgain.lessons.lesson import Lesson, Step

SINE = {"input": "sine", "align": "off", "loss": "spectral", "optimizer": "SGD", "lr": 0.1, "steps": 24}
WAVEFORM, POWER_1, POWER_2 = "waveform/SGD@0.1", "spectral/SGD@0.1", "spectral-power/SGD@0.1"
MUSIC = {**SINE, "input": "demo"}

LESSON = Lesson(
    name="spectral-loss",
    number=3,
    title="Spectral loss",
    summary=(
        "A loss that compares how much of each frequency there is ignores the phase and finds the right gain again."
    ),
    steps=(
        Step(
            title="90° with a spectral loss",
            text=(
                "The target is shifted by 90° again, with another loss. The spectral loss compares the magnitudes of "
                "the two spectra: how much of each frequency there is. A phase shift does not change them. The minimum "
                "is at 0.15 again, and SGD finds it. “Compare with” adds a second estimate on the same sound. This "
                "estimate is named after its loss, optimizer and learning rate: “waveform/SGD@0.1” has the fixed "
                "learning rate 0.1."
            ),
            watch=(
                "the estimate on the reference, and “waveform/SGD@0.1” below. In “Loss against gain”, the spectral "
                "loss has its minimum at 0.15, and a second one at −0.15 (see the next step)."
            ),
            listen="Target (2) and Matched (3): the same level.",
            controls={**SINE, "phase_deg": 90.0, "compare": (WAVEFORM,)},
            expectations=(InRange("gain_db", -16.58, -16.38), InRange("gain_db", -200.0, -30.0, comparison=WAVEFORM)),
            checks=(
                NumericCheck(
                    "gain_90", 0.135, 0.16, "At 90°, SGD on the spectral loss ends at a gain of {gain_90:.3f}."
                ),
                NumericCheck("minimum", 0.149, 0.151, "The closed form of its minimum is {minimum:.4f}."),
            ),
            why=(
                "The loss is mean | |rfft(g · dry)| − |rfft(target)| |. The function *rfft*, a Fourier transform, "
                "measures how much of each frequency a sound contains. It does so for narrow bands of equal width, "
                "called *bins*. The loss of one bin is a straight line down to the best gain of that bin, then a "
                "straight line up. For g ≥ 0 the sum of such losses is *convex*: it has the shape of a bowl with one "
                "minimum. A formula gives the position of the minimum: the weighted median of the ratios target ÷ dry "
                "of all bins. This is the ratio with half of the total weight below it; each bin's weight is its "
                "magnitude in the dry signal. It is the closed form, the dotted line in the plot.\n\nIn this "
                "experiment SGD ends at {gain_90:.3f} and continues to move back and forth, because its learning rate "
                "is fixed (lesson 4). The live estimate lowers its learning rate and comes to rest."
            ),
            figures={
                "loss": (
                    "Waveform loss and spectral loss for 100 gains from 0 to 2, with the target shifted by 90°. Each "
                    "is divided by its largest value."
                ),
                "gain": "The gain at each step, on the spectral loss.",
                "spectra": "The magnitudes of dry, target and matched near 600 Hz.",
            },
            sounds={
                "target_90": "The target, shifted by 90°.",
                "matched_90": (
                    "The matched signal of the spectral loss ({matched_90_db:+.1f} dB relative to the target)."
                ),
            },
            animation=(
                "The spectral loss with the target shifted by 90°: the gain reaches 0.15, then moves back and forth."
            ),
        ),
        Step(
            title="Limitation: polarity",
            text=(
                "The target is now inverted. A magnitude has no sign, so the gains +0.15 and −0.15 have the same loss. "
                "rtgain determines the sign separately, from the phase between the two spectra."
            ),
            watch="the gain, which is the same, and the minus in ×−0.150, which does not come from the loss.",
            listen="Difference (4): silent, because the polarity is right, too.",
            controls={**SINE, "polarity": "invert"},
            expectations=(InRange("gain_db", -16.58, -16.38), InRange("polarity", -1, -1)),
            checks=(
                NumericCheck(
                    "sign_gap", -1e-6, 1e-6, "The spectral losses at +0.15 and −0.15 differ by {sign_gap:.1g}."
                ),
            ),
            why=("If negative gains are allowed, the loss has two minima, like a W. A descent ends in the nearer one."),
            figures={
                "powers": (
                    "The spectral loss with magnitudes to the power 1 and 2, for gains from −1 to 2. Each is divided "
                    "by its largest value."
                ),
            },
            duration_s=3.0,
        ),
        Step(
            title="Magnitudes to the power 2",
            text=(
                "The loss “spectral-power” squares the magnitudes before it compares them. Its minimum is at the same "
                "gain, and the estimate finds it with Rprop, an optimizer that ignores the size of the slope (lesson "
                "4). But the slope of “spectral-power” grows with the gain: at ×1 it is {slope_ratio:.0f} times that "
                "of power 1. One step of SGD at a learning rate of 0.1 leads to {diverged_db:.1f} dB. There the slope "
                "is almost zero, so SGD stays there."
            ),
            watch=(
                "“spectral/SGD@0.1”, which swings (its swing is the highest minus the lowest gain of the last second). "
                "The other comparison is below the plot (its gain is in the last line of this panel)."
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
                    "power_2_minimum", 0.149, 0.151, "With power 2 the minimum is at {power_2_minimum:.4f}, too."
                ),
                NumericCheck(
                    "power_2_first",
                    -80,
                    -78,
                    "In the experiment, with power 2, the first step of SGD leads to ×{power_2_first:.1f}.",
                ),
                NumericCheck(
                    "diverged_db", -77.3, -77.1, "Live, at a learning rate of 0.1, it leads to {diverged_db:.2f} dB."
                ),
            ),
            why=(
                "With power 1 the slope of a bin is its magnitude. With power 2 it is twice the gain times the squared "
                "magnitude. At the start this slope is {power_2_slope:.0f} on average. In the experiment, SGD on the "
                "gain itself at a learning rate of 0.01 jumps to {power_2_first:.0f} in one step. A learning rate that "
                "suits one loss is useless for the other.\n\nrtgain's own losses are *normalized*: divided by the sum "
                "of the target's magnitudes, or with power 2 of their squares. On the logarithm of the gain, their "
                "slopes at a gain g are g/0.15 with power 1 and 2 (g/0.15)² with power 2. At the reference gain they "
                "are 1 and 2, but at ×1 they are {slope_1:.1f} and {slope_2:.1f}. With power 2, a step of 0.1 × "
                "{slope_2:.1f} on the natural logarithm of the gain is a change of {diverged_db:.1f} dB."
            ),
            gain_axis_db=(-18.0, -15.0),
            duration_s=3.0,
        ),
        Step(
            title="Limitation: delay",
            text=(
                "The source is music, and the target is 5 ms later. At any moment, the two windows then contain parts "
                "of the music that are 5 ms apart. The spectral loss is therefore only approximately right. The "
                "estimate, an average over time, has an error of about {delayed_db:.1f} dB. Single windows are wrong "
                "by more than 1 dB at times."
            ),
            watch="closed form and least squares of single windows, which scatter around the reference.",
            listen="Difference (4): far from silent, although the gain is almost right.",
            controls={**MUSIC, "delay_ms": 5.0},
            expectations=(InRange("gain_db", -17.5, -15.5),),
            checks=(
                NumericCheck(
                    "delayed_db",
                    0.05,
                    1.0,
                    "With a delay of 5 ms, the typical (root-mean-square, RMS) error is {delayed_db:.2f} dB.",
                ),
            ),
            duration_s=6.0,
        ),
        Step(
            title="Compensate the delay first",
            text=(
                "The same signals with “Compensate delay” on: rtgain measures the 5 ms from the phases of the spectra "
                "and removes them before it computes the loss."
            ),
            watch="the estimate, which jumps to the reference after about a second.",
            listen="Difference (4): it becomes silent at that moment.",
            controls={**MUSIC, "delay_ms": 5.0, "align": "on"},
            expectations=(
                InRange("delay_ms", 4.99, 5.01, deadline_s=8.0),
                InRange("gain_db", -16.53, -16.43, deadline_s=8.0),
            ),
            checks=(
                NumericCheck("arrival_s", 0.5, 2.0, "From {arrival_s:.2f} seconds on, the error is below 0.1 dB."),
            ),
            duration_s=6.0,
        ),
    ),
)
