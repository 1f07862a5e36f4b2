"""Lesson 2: the loss that cannot hear."""

from rtgain.lessons.checks import InRange, NumericCheck, StateIs
from rtgain.lessons.lesson import Lesson, Step

SINE = {"input": "sine", "align": "off", "loss": "waveform", "optimizer": "SGD", "lr": 0.1, "steps": 24}

LESSON = Lesson(
    name="waveform-loss",
    number=2,
    title="Why a waveform loss fails",
    summary="Turn the phase of the target: no ear can tell, and the waveform loss is led astray.",
    steps=(
        Step(
            title="45°: a little turned",
            text=(
                "The target's phase, its place in the cycle, is turned by 45°, an eighth. It sounds as before, and its "
                "gain is "
                "still 0.15. The waveform loss, which compares sample by sample, now finds ×{live_45:.2f}: about "
                "{live_error_45_db:.0f} dB too little, and quite sure of it."
            ),
            watch=(
                "the estimate stop about three decibels below the reference; and, in “Loss against gain”, the "
                "lowest point "
                "of the waveform loss, left of 0.15."
            ),
            listen="Target (2), then Matched (3): the matched sine is quieter.",
            controls={**SINE, "phase_deg": 45.0},
            expectations=(InRange("gain_db", -19.9, -19.1),),
            checks=(NumericCheck("gain_45", 0.1, 0.112, "Turned by 45°, the waveform loss ends at {gain_45:.3f}."),),
            why=(
                "Two sines of one pitch, g and 0.15 strong and turned by an angle φ, differ by a sine whose size is "
                "√((g − 0.15 cos φ)² + (0.15 sin φ)²). The second part no gain can mend. The first is nothing at "
                "g = 0.15 cos φ: that is where the loss is least, and 0.15 cos 45° is {cos_45:.3f}."
            ),
            figures={
                ("losses"): (
                    "The loss against gain for four turns of phase, from −1 to 2. The mark is where SGD came to, "
                    "from 1."
                ),
            },
        ),
        Step(
            title="90°: to silence",
            text=(
                "Turned by 90°. Where the target swings farthest, the estimate passes through zero: any gain only "
                "adds to the difference. So the best gain is none, and SGD walks towards it."
            ),
            watch=(
                "the estimate sink and sink; the state, “incoherent”: the target is no scaled copy. The lowest point "
                "of the waveform loss is at 0."
            ),
            listen="Target (2) is as loud as ever; Matched (3) fades away.",
            controls={**SINE, "phase_deg": 90.0},
            expectations=(InRange("gain_db", -200.0, -30.0), StateIs("incoherent")),
            checks=(
                NumericCheck("gain_90", -0.01, 0.01, "Turned by 90°, the waveform loss ends at {gain_90:.3f}."),
                NumericCheck("loss_ratio_90", 1.3, 1.5, "At 0.15 its loss is {loss_ratio_90:.2f} times that at 0."),
            ),
            why=(
                "0.15 cos 90° = 0. The loss at the right gain, 0.15, is {loss_ratio_90:.2f} = √2 times that of "
                "silence. Descent does its work without fault: it is the loss that asks the wrong question.\n\n(A "
                "sine swapped for a cosine is turned by 90°, not by 180°: a common slip.)"
            ),
            figures={
                "waveforms": "The first 200 samples of dry and target, turned by 90° and by 180°, and the estimates."
            },
            sounds={
                "target_0": "The target, not turned.",
                "target_90": "The target, turned by 90°. Can you tell?",
                (
                    "matched_90"
                ): "What the waveform loss makes of it: next to nothing ({matched_90_db:.0f} dB against the target).",
            },
            animation="Every step makes the waveforms differ less, and the last is near silence.",
        ),
        Step(
            title="180°: upside down",
            text=(
                "Turned by 180° every sample changes its sign: the polarity is inverted. That is a gain, −0.15. In the "
                "experiment SGD steps on the gain itself, passes through zero, and comes to {gain_180:.2f}. What plays "
                "finds 0.15, and reads the minus beside it."
            ),
            watch="the readout: the level of the reference, and the minus in ×−0.150. The lowest point is at −0.15.",
            listen="Target (2) and Matched (3): alike again.",
            controls={**SINE, "phase_deg": 180.0},
            expectations=(InRange("gain_db", -16.58, -16.38), InRange("polarity", -1, -1)),
            checks=(
                NumericCheck("gain_180", -0.16, -0.14, "Turned by 180°, it ends at {gain_180:.3f}: polarity inverted."),
            ),
            why=(
                "0.15 cos 180° = −0.15. A half turn of all frequencies and a change of polarity are one and the same. "
                "rtgain's own estimator descends on the logarithm of the gain, which has no sign, "
                "and decides polarity beside the optimizer: hence the same level and a minus."
            ),
            sounds={"target_180": "The target, turned by 180°: as the others to the ear."},
        ),
    ),
)
