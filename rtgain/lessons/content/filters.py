"""Lesson 7: from one gain to a filter."""

from pathlib import Path
from typing import Any

from rtgain.lessons.checks import InRange, NumericCheck
from rtgain.lessons.lesson import Lesson, Step

RECORDINGS = Path(__file__).parents[1] / "recordings"
THREE_BANDS, LOW_SHELF = RECORDINGS / "three-bands.flac", RECORDINGS / "low-shelf.flac"
"""Results of a stored run of the experiment. Channels: dry, target, and dry through the fitted filter."""

DRY_CHANNEL, FITTED_CHANNEL = 1, 3


def _play(recording: Path, dry_channel: int) -> dict[str, Any]:
    """Controls that loop `recording`, with its second channel as the target of `dry_channel`."""
    return {
        "input": str(recording), "loop": True, "target": "channel", "dry_channel": (dry_channel,), "align": "off",
    }  # fmt: skip


REMAINING_GAIN_ZERO = InRange("gain_db", -0.01, 0.01)

LESSON = Lesson(
    name="filters",
    number=7,
    title="From one gain to a filter",
    summary="The same descent finds several parameters at once: the gains of three bands, or the settings of a filter.",
    steps=(
        Step(
            title="One gain is not enough",
            text=(
                "The target is pink noise (3 dB weaker per octave) with three gains: {true_low_db:.0f} dB below 250 "
                "Hz, {true_high_db:.0f} dB above 2500 Hz, {true_mid_db:+.0f} dB between. A single gain ends at "
                "{one_bands_db:.0f} dB, that of the high band, which has most of the bins. Its stated uncertainty (±) "
                "is small all the same. The RMS of the difference is only {bands_reduction_db:.1f} dB below that of "
                "the target."
            ),
            watch="the spectrum: target and matched agree only at the right end. Compare the RMS meters.",
            listen="Target (2); Matched (3), much too quiet; Difference (4), almost as loud as the target.",
            controls=_play(THREE_BANDS, DRY_CHANNEL),
            expectations=(InRange("gain_db", -15.2, -14.7),),
            checks=(
                NumericCheck("one_bands_db", -15.2, -14.7, "A single gain ends at {one_bands_db:.2f} dB."),
                NumericCheck(
                    "bands_reduction_db",
                    0.0,
                    1.0,
                    "The difference is {bands_reduction_db:.2f} dB below the target (RMS).",
                ),
            ),
            sounds={"dry": "Pink noise.", "bands": "The target: pink noise with the three gains."},
            duration_s=3.0,
        ),
        Step(
            title="Three gains",
            text=(
                "The same descent changes three gains. They start at 0 dB. After {steps:.0f} steps they are "
                "{low_db:.2f}, {mid_db:+.2f} and {high_db:.2f} dB. “Run the experiment” shows how. Here, Dry is a "
                "recording of the noise with these three gains already applied, so the live estimate finds the "
                "remaining gain: 0 dB."
            ),
            watch="the estimate at 0 dB. In the experiment: the frequency response, and the gains step by step.",
            listen="Dry (1) and Target (2): they sound alike. Difference (4): silence.",
            controls=_play(THREE_BANDS, FITTED_CHANNEL),
            expectations=(REMAINING_GAIN_ZERO,),
            checks=(
                NumericCheck("low_db", -9.01, -8.99, "The gain of the low band ends at {low_db:.3f} dB."),
                NumericCheck("mid_db", 3.99, 4.01, "The gain of the middle band ends at {mid_db:+.3f} dB."),
                NumericCheck("high_db", -15.01, -14.99, "The gain of the high band ends at {high_db:.3f} dB."),
            ),
            why=(
                "The descent is not limited to gains. A *processor* turns audio into audio, and torch computes how its "
                "output changes with each of its parameters (automatic differentiation). One call is enough: "
                'rtgain.fit(rtgain.ThreeBandGain(16000), dry, target, optimizer="Rprop", lr=0.5). The experiments of '
                "lessons 1 to 4 use the same descent. Losses and optimizers are those of the live estimate, which has "
                "a single gain and continues with new sound.\n\nHere there is no closed form any more, because the "
                "bands overlap and their sum depends on their phases."
            ),
            figures={"bands": "The three gains, step by step."},
            sounds={"bands_matched": "Pink noise with the three gains that were found."},
            duration_s=3.0,
            animation="The frequency response of three bands approaches that of the target in 40 steps of Rprop.",
        ),
        Step(
            title="A low shelf",
            text=(
                "A low shelf changes the gain below a corner frequency: here {true_shelf_db:.0f} dB below "
                "{true_shelf_hz:.0f} Hz. Most bins are above, so a single gain ends at {one_shelf_db:.2f} dB, and the "
                "difference has a larger RMS than the target. The shelf has two parameters, a gain in dB and a corner "
                "in octaves; the two slopes differ in size. Rprop uses only their signs: from −3 dB at 2 kHz it "
                "reaches {shelf_db:.2f} dB at {shelf_hz:.1f} Hz."
            ),
            watch="the left half of the spectrum. In the experiment: both parameters, step by step.",
            listen="Dry (1), then Target (2), with less bass; Difference (4): the bass that was removed.",
            controls=_play(LOW_SHELF, DRY_CHANNEL),
            expectations=(REMAINING_GAIN_ZERO,),
            checks=(
                NumericCheck("one_shelf_db", -0.01, 0.01, "A single gain ends at {one_shelf_db:.3f} dB."),
                NumericCheck(
                    "shelf_residual_db",
                    0.0,
                    3.0,
                    "The difference is {shelf_residual_db:.1f} dB above the target (RMS).",
                ),
                NumericCheck("shelf_db", -12.05, -11.95, "The gain of the shelf ends at {shelf_db:.3f} dB."),
                NumericCheck("shelf_hz", 495.0, 505.0, "The corner frequency of the shelf ends at {shelf_hz:.1f} Hz."),
            ),
            why=(
                "The shelf is that of the Audio EQ Cookbook (Bristow-Johnson), computed as a multiplication of the "
                "spectrum instead of sample by sample with feedback. So the slopes are simple, and no filter can "
                "become unstable."
            ),
            figures={"shelf": "Gain and corner frequency, step by step."},
            sounds={"shelf": "The target: pink noise through the shelf."},
            duration_s=3.0,
        ),
        Step(
            title="A loss that is not convex",
            text=(
                "Plotted against the corner frequency, the loss is not a bowl. Far below the right corner it is almost "
                "flat: there its slope is {slope_ratio:.1f} times smaller than near the corner. With a gain of 0 dB, "
                "the corner frequency has no effect: the slope of the loss is 0 in its direction until the gain has "
                "changed. The descent of the previous step started at 2 kHz, above the corner, and found it. Its "
                "result is Dry here."
            ),
            watch="in the experiment, the loss against the corner frequency, with its flat side.",
            listen="Dry (1) and Target (2): they sound alike. Difference (4): silence.",
            controls=_play(LOW_SHELF, FITTED_CHANNEL),
            expectations=(REMAINING_GAIN_ZERO,),
            checks=(
                NumericCheck(
                    "convexity_excess_percent",
                    1.0,
                    50.0,
                    (
                        "Half-way from 31 to 500 Hz, the loss is above the straight line by "
                        "{convexity_excess_percent:.1f} % of its largest value."
                    ),
                ),
                NumericCheck(
                    "slope_ratio",
                    2.0,
                    100.0,
                    "Near the corner, the loss is {slope_ratio:.1f} times as steep as at 31 Hz.",
                ),
                NumericCheck(
                    "flat", 0.0, 1e-9, "At a gain of 0 dB, another corner frequency changes the loss by {flat:.0g}."
                ),
            ),
            why=(
                "A convex loss lies on or below the straight line between any two of its points. This one does not: "
                "half-way (in octaves) between 31 Hz and the right corner, {true_shelf_hz:.0f} Hz, it is above the "
                "line by {convexity_excess_percent:.1f} % of its largest value. The loss of a single positive gain is "
                "convex; with negative gains it has two minima (lesson 3). Without convexity the result depends on the "
                "starting point. An optimizer that ignores the size of a slope helps, too."
            ),
            figures={"valley": "The loss against the corner frequency, from 31 Hz to 4 kHz, at the right gain."},
            sounds={"shelf_matched": "Pink noise through the shelf that was found."},
            duration_s=3.0,
        ),
    ),
)
