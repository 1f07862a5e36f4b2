"""Lesson 7: beyond one gain."""

from pathlib import Path
from typing import Any

from rtgain.lessons.checks import InRange, NumericCheck
from rtgain.lessons.lesson import Lesson, Step

RECORDINGS = Path(__file__).parents[1] / "recordings"
THREE_BANDS, LOW_SHELF = RECORDINGS / "three-bands.flac", RECORDINGS / "low-shelf.flac"
"""Dry, target, and dry through what has been learned, as channels: what the lesson's experiment came to once."""

DRY, LEARNED = 1, 3


def _played(recording: Path, dry_channel: int) -> dict[str, Any]:
    """The second channel of `recording` as the target of another one, over and over."""
    return {
        "input": str(recording), "loop": True, "target": "channel", "dry_channel": dry_channel, "align": "off",
    }  # fmt: skip


RESIDUAL_GAIN_ZERO = InRange("gain_db", -0.01, 0.01)

LESSON = Lesson(
    name="filters",
    number=7,
    title="From one gain to a filter",
    summary=(
        "The same loop learns any processor that can be differentiated: three gains, a filter. And where the loss is "
        "no bowl any more."
    ),
    steps=(
        Step(
            title="One gain is not enough",
            text=(
                "The target is pink noise through three bands: {true_low_db:.0f} dB below 250 Hz, {true_high_db:.0f} "
                "above 2500, {true_mid_db:+.0f} between. One gain must answer for all, and comes to "
                "{one_bands_db:.0f} dB: the high band's, where most bins lie. It is quite sure. What is left of the "
                "target then, the difference, has an RMS only {fallen_bands_db:.1f} dB below it."
            ),
            watch="the spectrum: target and estimate agree at its right end, and nowhere else; the RMS of the meters.",
            listen="Target (2); Matched (3), far too soft; Difference (4), nearly as loud as the target.",
            controls=_played(THREE_BANDS, DRY),
            expectations=(InRange("gain_db", -15.2, -14.7),),
            checks=(
                NumericCheck("one_bands_db", -15.2, -14.7, "One gain comes to {one_bands_db:.2f} dB."),
                NumericCheck(
                    "fallen_bands_db",
                    0.0,
                    1.0,
                    "The difference is {fallen_bands_db:.2f} dB below the target (RMS).",
                ),
            ),
            sounds={"dry": "Pink noise.", "bands": "Through the three bands: the target."},
            duration_s=3.0,
        ),
        Step(
            title="Three gains",
            text=(
                "The same loop with three parameters: from 0 dB, after {steps:.0f} steps they are {low_db:.2f}, "
                "{mid_db:+.2f} and {high_db:.2f} dB. “Run the experiment” does it before your eyes. What plays as Dry "
                "has been through the bands that were learned: for one gain nothing is left to do, 0 dB."
            ),
            watch="the estimate at 0 dB. In the experiment, the response on its way, and the gains step by step.",
            listen="Dry (1) and Target (2): alike. Difference (4): silence.",
            controls=_played(THREE_BANDS, LEARNED),
            expectations=(RESIDUAL_GAIN_ZERO,),
            checks=(
                NumericCheck("low_db", -9.01, -8.99, "The low band comes to {low_db:.3f} dB."),
                NumericCheck("mid_db", 3.99, 4.01, "The middle band comes to {mid_db:+.3f} dB."),
                NumericCheck("high_db", -15.01, -14.99, "The high band comes to {high_db:.3f} dB."),
            ),
            why=(
                "Nothing in the loop is about gains. A *processor* turns audio into audio and says how its output "
                "changes with its parameters; torch does the rest. rtgain.fit(rtgain.ThreeBandGain(16000), dry, "
                'target, optimizer="Rprop", lr=0.5) is all of it. It is the loop of the experiments of lessons 1 to '
                "4, with the losses and optimizers of the live estimate; that one has a single gain, and listens "
                "on.\n\nA closed form there is none any more: the bands overlap, and their sum has its phase."
            ),
            figures={"bands": "The three gains, step by step."},
            sounds={"bands_matched": "Pink noise through the three bands that were learned."},
            duration_s=3.0,
            animation="The frequency response of three bands, on its way to the target's, over 40 steps of Rprop.",
        ),
        Step(
            title="A low shelf",
            text=(
                "A shelf of {true_shelf_db:.0f} dB below {true_shelf_hz:.0f} Hz. One gain does not notice: most bins "
                "lie above. It says {one_shelf_db:.2f} dB, and leaves a difference of more RMS than the target. The "
                "shelf has two parameters of different kinds, decibels and octaves, with slopes of different sizes. "
                "Rprop looks at their signs only: from −3 dB at 2 kHz it comes to {shelf_db:.2f} dB at "
                "{shelf_hz:.1f} Hz."
            ),
            watch="the spectrum, its left half. In the experiment, both parameters, step by step.",
            listen="Dry (1), then Target (2), whose bass is softer; Difference (4): the bass that is gone.",
            controls=_played(LOW_SHELF, DRY),
            expectations=(RESIDUAL_GAIN_ZERO,),
            checks=(
                NumericCheck("one_shelf_db", -0.01, 0.01, "One gain comes to {one_shelf_db:.3f} dB."),
                NumericCheck(
                    "over_shelf_db", 0.0, 3.0, "The difference is {over_shelf_db:.1f} dB above the target (RMS)."
                ),
                NumericCheck("shelf_db", -12.05, -11.95, "The shelf's gain comes to {shelf_db:.3f} dB."),
                NumericCheck("shelf_hz", 495.0, 505.0, "The shelf's corner comes to {shelf_hz:.1f} Hz."),
            ),
            why=(
                "It is the shelf of the audio equalizer cookbook (Bristow-Johnson), sampled in frequency: there is "
                "no recursion to differentiate through, and nothing that can become unstable on the way."
            ),
            figures={"shelf": "Gain and corner, step by step."},
            sounds={"shelf": "Pink noise through the shelf: the target."},
            duration_s=3.0,
        ),
        Step(
            title="Where it stops being convex",
            text=(
                "Over the corner, the loss is no bowl: below it flattens, its slope {slope_ratio:.1f} times "
                "less than near. And a shelf of 0 dB is no shelf: its corner makes no difference, so "
                "a descent from there starts blind in that direction. The one that is heard here, as Dry, began above "
                "the corner, and found it."
            ),
            watch="in the experiment, the valley, with its flat side.",
            listen="Dry (1) and Target (2): alike. Difference (4): silence.",
            controls=_played(LOW_SHELF, LEARNED),
            expectations=(RESIDUAL_GAIN_ZERO,),
            checks=(
                NumericCheck(
                    ("bulge_percent"),
                    1.0,
                    50.0,
                    (
                        "Half-way from 31 to 500 Hz the loss is {bulge_percent:.1f} % of its highest above the "
                        "straight line."
                    ),
                ),
                NumericCheck(
                    ("slope_ratio"),
                    2.0,
                    100.0,
                    "Near the corner it is {slope_ratio:.1f} times steeper than at 31 Hz.",
                ),
                NumericCheck("flat", 0.0, 1e-9, "At 0 dB, moving the corner changes the loss by {flat:.0g}."),
            ),
            why=(
                "A convex loss lies on or below the straight line between any two of its points. Here, half-way "
                "(in octaves) between 31 Hz and the true {true_shelf_hz:.0f} Hz, it lies {bulge_percent:.1f} % of "
                "its highest value above. One gain, kept positive, was convex; let it be negative, and it has two "
                "minima (lesson 3). From here on where one begins matters, and so do optimizers that do not trust "
                "the size of a slope."
            ),
            figures={"valley": "The loss against the corner, from 31 Hz to 4 kHz, the gain being right."},
            sounds={"shelf_matched": "Pink noise through the shelf that was learned."},
            duration_s=3.0,
        ),
    ),
)
