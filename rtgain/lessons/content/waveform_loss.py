"""Lesson 2: why a waveform loss fails."""

from rtgain.lessons.checks import InRange, NumericCheck, StateIs
from rtgain.lessons.lesson import Lesson, Step

SINE = {"input": "sine", "align": "off", "loss": "waveform", "optimizer": "SGD", "lr": 0.1, "steps": 24}

LESSON = Lesson(
    name="waveform-loss",
    number=2,
    title="Why a waveform loss fails",
    summary="A sine that is shifted in time sounds the same, but a loss that compares samples finds a wrong gain.",
    steps=(
        Step(
            title="45°: a small phase shift",
            text=(
                "The target's phase, its position in the cycle, is shifted by 45°, an eighth of a cycle. The target "
                "sounds as before, and its gain is still 0.15. The waveform loss, which compares sample by sample, now "
                "finds ×{live_45:.2f}. This is about {live_error_45_db:.0f} dB too low. The reported uncertainty (±) "
                "is small all the same: it accounts for noise and for gains that differ between frequencies, but not "
                "for a phase shift."
            ),
            watch=(
                "the estimate, which stops about three decibels below the reference. In “Loss against gain”, the "
                "minimum of the waveform loss is left of 0.15."
            ),
            listen="Target (2), then Matched (3): the matched sine is quieter.",
            controls={**SINE, "phase_deg": 45.0},
            expectations=(InRange("gain_db", -19.9, -19.1),),
            checks=(
                NumericCheck(
                    "gain_45", 0.1, 0.112, "At 45°, SGD on the waveform loss ends at a gain of {gain_45:.3f}."
                ),
            ),
            why=(
                "Take two sines of the same frequency with the amplitudes g and 0.15, the second shifted by an angle "
                "φ. Their difference is a sine with the amplitude √((g − 0.15 cos φ)² + (0.15 sin φ)²). No gain can "
                "reduce the second part. The loss is 2/π times this amplitude (lesson 1), so both are smallest at the "
                "same gain. This is where the first part is 0: g = 0.15 cos φ. 0.15 cos 45° is {cos_45:.3f}."
            ),
            figures={
                "losses": (
                    "Loss against gain for four phase shifts, for gains from −1 to 2. The point is the gain after 300 "
                    "steps of SGD, starting at 1."
                ),
            },
        ),
        Step(
            title="90°: the gain goes to zero",
            text=(
                "The phase shift is now 90°. Where the target has its peaks, the dry sine passes through zero. "
                "Whatever the gain, the matched sine only adds to the difference. The waveform loss is therefore "
                "smallest at a gain of zero, and SGD moves towards zero."
            ),
            watch=(
                "the estimate, which keeps falling, and the state “incoherent”: even at the best gain, the loss stays "
                "almost as large as for silence. The minimum of the waveform loss is at 0."
            ),
            listen="Target (2), as loud as before; Matched (3), which fades out.",
            controls={**SINE, "phase_deg": 90.0},
            expectations=(InRange("gain_db", -200.0, -30.0), StateIs("incoherent")),
            checks=(
                NumericCheck(
                    "gain_90", -0.01, 0.01, "At 90°, SGD on the waveform loss ends at a gain of {gain_90:.3f}."
                ),
                NumericCheck(
                    "loss_ratio_90", 1.3, 1.5, "At a gain of 0.15 the loss is {loss_ratio_90:.2f} times the loss at 0."
                ),
            ),
            why=(
                "0.15 cos 90° = 0. At the correct gain, 0.15, the loss is {loss_ratio_90:.2f} = √2 times the loss of "
                "silence. The descent works correctly; the loss measures the wrong quantity.\n\n(A cosine is a sine "
                "that is shifted by 90°. An inverted sine is shifted by 180°.)"
            ),
            figures={
                "waveforms": "The first 200 samples of dry, target and matched, for phase shifts of 90° and 180°."
            },
            sounds={
                "target_0": "The target without a phase shift.",
                "target_90": "The target, shifted by 90°. Do you hear a difference?",
                "matched_90": (
                    "The matched signal of the waveform loss: almost silence ({matched_90_db:.0f} dB relative to the "
                    "target)."
                ),
            },
            animation=(
                "Every step makes the waveforms differ less. After the last step, the matched signal is almost silent."
            ),
        ),
        Step(
            title="180°: inverted polarity",
            text=(
                "With a phase shift of 180° every sample changes its sign: the polarity is inverted. This is the same "
                "as a gain of −0.15. In the experiment, SGD changes the gain itself, passes through zero and ends at "
                "{gain_180:.2f}. The live estimate finds 0.15 and determines the sign separately."
            ),
            watch=(
                "the readout: the gain in dB equals the reference gain, and the factor has a minus: ×−0.150. The "
                "minimum of the loss is at −0.15."
            ),
            listen="Target (2) and Matched (3): they are equally loud again.",
            controls={**SINE, "phase_deg": 180.0},
            expectations=(InRange("gain_db", -16.58, -16.38), InRange("polarity", -1, -1)),
            checks=(
                NumericCheck(
                    "gain_180", -0.16, -0.14, "At 180°, the gain ends at {gain_180:.3f}: the polarity is inverted."
                ),
            ),
            why=(
                "0.15 cos 180° = −0.15. A shift of all frequencies by half a cycle is the same as an inversion of the "
                "polarity. rtgain's live estimator changes the logarithm of the gain, which has no sign. It determines "
                "the polarity separately, without the optimizer. The result is the same level, with a minus."
            ),
            sounds={"target_180": "The target, shifted by 180°. It sounds like the others."},
        ),
    ),
)
