"""Lesson 5: music, speech, noise and silence."""

from rtgain.lessons.checks import InRange, NumericCheck, StateIs
from rtgain.lessons.lesson import Lesson, Step

MUSIC = {"input": "demo", "loss": "spectral", "optimizer": "Rprop", "align": "on"}

LESSON = Lesson(
    name="real-signals",
    number=5,
    title="Music, speech, noise and silence",
    summary=(
        "Music has pauses and rooms are noisy: an estimate must ignore silence and give noisy frequencies less weight."
    ),
    steps=(
        Step(
            title="Music",
            text=(
                "Music has energy in hundreds of bins, and their levels change all the time. The gain is the same for "
                "all of them, so the error of the estimate is below 0.002 dB."
            ),
            watch="the estimate, which lies on the reference.",
            listen="Dry (1), Target (2), Matched (3) and Difference (4).",
            controls=MUSIC,
            expectations=(InRange("gain_db", -16.49, -16.465),),
            checks=(
                NumericCheck("clean_db", 0.0, 0.002, "On ten seconds of music the RMS error is {clean_db:.3f} dB."),
            ),
            sounds={"dry": "Music, dry.", "target": "The target."},
            duration_s=3.0,
        ),
        Step(
            title="Silence",
            text=(
                "Every ten seconds the music pauses for one beat. In silence every gain fits: 0 times any gain is 0. "
                "rtgain then keeps the last gain and shows the state “silent”."
            ),
            watch="the state and the level meters; the estimate does not move.",
            listen="Matched (3): after the pause it has the same level as before.",
            controls=MUSIC,
            expectations=(StateIs("silent", deadline_s=12.0), InRange("gain_db", -16.49, -16.465, deadline_s=12.0)),
            checks=(
                NumericCheck("silent_s", 0.1, 1.0, "The state is “silent” for {silent_s:.2f} s."),
                NumericCheck("held_db", 0.0, 0.01, "During this time the estimate moves by {held_db:.4f} dB."),
            ),
            why=(
                "A silent target with a playing source is worse: no error is visible, and the descent leads to a gain "
                "of 0. If both signals are silent, a normalized loss would divide 0 by 0. Therefore rtgain checks both "
                "levels first."
            ),
            figures={"silence": "The estimate over one pass of the demo loop, and the silent beat."},
            duration_s=11.0,
        ),
        Step(
            title="Noise",
            text=(
                "White noise is added to the target, 10 dB below it. On average, noise makes magnitudes larger. The "
                "plain spectral loss gives all bins the same weight. Its minimum is therefore at a gain that is "
                "{plain_10_db:.1f} dB too high on average. rtgain weights each bin by its level relative to the noise. "
                "The estimate then has an error of {rtgain_10_db:.3f} dB."
            ),
            watch="± next to the gain: the uncertainty is larger than without noise.",
            listen="Target (2): with noise. Matched (3): without noise, at the right level.",
            controls={**MUSIC, "noise_dbfs": -44.5},
            expectations=(InRange("gain_db", -16.6, -16.36), InRange("std_db", 0.001, 0.2)),
            checks=(
                NumericCheck(
                    "rtgain_30_db", 0.0, 0.012, "With noise 30 dB below, the error of rtgain is {rtgain_30_db:.3f} dB."
                ),
                NumericCheck(
                    "rtgain_20_db", 0.0, 0.04, "With noise 20 dB below, the error of rtgain is {rtgain_20_db:.3f} dB."
                ),
                NumericCheck(
                    "rtgain_10_db", 0.0, 0.12, "With noise 10 dB below, the error of rtgain is {rtgain_10_db:.3f} dB."
                ),
                NumericCheck(
                    "plain_10_db",
                    0.32,
                    0.89,
                    "With noise 10 dB below, the plain loss has its minimum {plain_10_db:.2f} dB too high on average.",
                ),
                NumericCheck(
                    "speech_20_db",
                    0.0,
                    0.3,
                    "On synthetic speech, with noise 20 dB below, the error of rtgain is {speech_20_db:.3f} dB.",
                ),
            ),
            why=(
                "The figure compares three errors. For the plain loss it shows how far the minimum is from the "
                "reference gain, averaged over half-second excerpts of the music. For the multi-resolution loss of "
                "auraloss (Steinmetz and Reiss, 2020) it shows the same on one excerpt, if auraloss is installed. This "
                "loss is made for training neural networks, and it gives all bins the same weight, too. For rtgain it "
                "shows the RMS error over ten seconds.\n\nThe error of the plain loss can be predicted from the "
                "distribution of a magnitude in noise (the Rice distribution)."
            ),
            figures={"noise": "Error with noise 30, 20 and 10 dB below the target. The noise is louder to the right."},
            sounds={
                "noisy": "The target with noise 10 dB below it.",
                "speech": "The synthetic speech, dry: syllables and pauses, no words.",
            },
            duration_s=4.0,
            animation=(
                "The noise rises to 10 dB below the target, and the minimum of the plain loss moves away from the "
                "reference gain. The excerpt is the half second of music with the largest error."
            ),
        ),
        Step(
            title="A longer window",
            text=(
                "The window is 341 ms instead of 85 ms. A long window separates tones that a short window merges, and "
                "it averages more noise. But it blurs changes, and every estimate is later."
            ),
            watch="the estimate when you type another reference gain: it follows later than with 85 ms.",
            listen="Matched (3), while you change the reference gain.",
            controls={**MUSIC, "noise_dbfs": -44.5, "window_ms": 341.0},
            expectations=(InRange("gain_db", -16.6, -16.36, deadline_s=8.0),),
            figures={"windows": "The same moment of the music with a window of 21 ms and with one of 341 ms."},
            duration_s=5.0,
        ),
    ),
)
