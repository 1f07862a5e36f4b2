"""Lesson 5: sound is not a sine."""

from rtgain.lessons.checks import InRange, NumericCheck, StateIs
from rtgain.lessons.lesson import Lesson, Step

MUSIC = {"input": "demo", "loss": "spectral", "optimizer": "Rprop", "align": "on"}

LESSON = Lesson(
    name="real-signals",
    number=5,
    title="Music, speech, noise and silence",
    summary="Music pauses, and rooms are noisy. What a loss believes then, and how to make it believe the right things.",
    steps=(
        Step(
            title="Music",
            text=(
                "Hundreds of bins (frequencies), each with its own level from moment to moment, and all of them say "
                "the same "
                "gain: the estimate errs by less than 0.002 dB."
            ),
            watch="the estimate lie on the reference.",
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
                "Once in ten seconds the music pauses for a beat. In silence every gain explains the target: "
                "rtgain holds what it knows, and says “silent”."
            ),
            watch="the state, and the levels; the estimate stays where it is.",
            listen="Matched (3): it comes back after the pause at the same level.",
            controls=MUSIC,
            expectations=(StateIs("silent", deadline_s=12.0), InRange("gain_db", -16.49, -16.465, deadline_s=12.0)),
            checks=(
                NumericCheck("silent_s", 0.1, 1.0, "It is silent for {silent_s:.2f} s."),
                NumericCheck("held_db", 0.0, 0.01, "Meanwhile the estimate moves by {held_db:.4f} dB."),
            ),
            why=(
                "A silent target under a source that plays would be worse: the loss is finite, its gradient is "
                "fine, and it says: gain 0. And at silence itself √0 and log 0 have no finite gradient. "
                "rtgain looks at both levels first."
            ),
            figures={"silence": "The estimate over one turn of the demo, and the silent beat."},
            duration_s=11.0,
        ),
        Step(
            title="Noise",
            text=(
                "White noise, 10 dB below the target. On average it adds to a magnitude, so the plain spectral loss "
                "is drawn up, by {plain_10_db:.1f} dB on average. rtgain counts each bin by how far it stands out "
                "of the noise, and errs by {ours_10_db:.3f} dB."
            ),
            watch="± beside the number: it is less sure, and says how much.",
            listen="Target (2): hiss. Matched (3): none, and the right level.",
            controls={**MUSIC, "noise_dbfs": -44.5},
            expectations=(InRange("gain_db", -16.6, -16.36), InRange("std_db", 0.001, 0.2)),
            checks=(
                NumericCheck("ours_30_db", 0.0, 0.012, "In noise 30 dB below, rtgain errs by {ours_30_db:.3f} dB."),
                NumericCheck("ours_20_db", 0.0, 0.04, "In noise 20 dB below, it errs by {ours_20_db:.3f} dB."),
                NumericCheck("ours_10_db", 0.0, 0.12, "In noise 10 dB below, it errs by {ours_10_db:.3f} dB."),
                NumericCheck("plain_10_db", 0.32, 0.89, "There the plain loss is {plain_10_db:.2f} dB up on average."),
                NumericCheck(
                    "speech_20_db", 0.0, 0.3, "On babble in noise 20 dB below, rtgain errs by {speech_20_db:.3f} dB."
                ),
            ),
            why=(
                "The figure sets beside each other: rtgain; the plain spectral loss, all bins alike; and, where "
                "auraloss is installed (Steinmetz and Reiss, 2020), its multi-resolution loss, a fine loss for "
                "training, which counts all bins alike too. Of the plain one it is where it is least, the mean over "
                "half seconds of music; of auraloss's, on one of them; and of rtgain, the error over ten seconds."
                "\n\nHow far the plain loss is drawn up can be said beforehand, from the distribution of a "
                "magnitude in noise (Rice's)."
            ),
            figures={"noise": "Error with noise 30, 20 and 10 dB below the target. To the right it is louder."},
            sounds={
                ("noisy"): "The target in noise 10 dB below it.",
                "babble": "The babble, dry: syllables and pauses, no words.",
            },
            duration_s=4.0,
            animation=(
                "White noise comes up to 10 dB below the target: the minimum of the plain spectral loss moves off the "
                "true gain. It is the half second of music in which it moves farthest."
            ),
        ),
        Step(
            title="Windows",
            text=(
                "A window of 341 ms in place of 85 ms. It parts tones that a short one melts together and averages "
                "more noise; what changes inside it is blurred, and every estimate is later."
            ),
            watch="the estimate when you type another reference gain: it comes later than with 85 ms.",
            listen="Matched (3), while you move the gain.",
            controls={**MUSIC, "noise_dbfs": -44.5, "window_ms": 341.0},
            expectations=(InRange("gain_db", -16.6, -16.36, deadline_s=8.0),),
            figures={"windows": "One moment of the music through a window of 21 ms and one of 341 ms."},
            duration_s=5.0,
        ),
    ),
)
