"""Lesson 7: beyond one gain."""

from rtgain.lessons.expectations import Finding
from rtgain.lessons.lesson import Lesson, Step

LESSON = Lesson(
    name="beyond-one-gain",
    number=7,
    title="Beyond one gain",
    about=(
        "The same loop learns any processor that can be differentiated: three gains, a filter. And where the way "
        "down is not always down."
    ),
    animation="The frequency response of three bands, on its way to the target's, over 40 steps of Rprop.",
    steps=(
        Step(
            title="Three gains",
            text=(
                "Pink noise through three bands at {true_low_db:.0f}, {true_mid_db:+.0f} and {true_high_db:.0f} "
                "dB. The same loss and loop, three parameters: after {steps:.0f} steps they are {low_db:.2f}, "
                "{mid_db:+.2f} and {high_db:.2f} dB. (What plays has one gain; these are run beside it.)"
            ),
            watch="the response, on its way to the target's; and the three gains, step by step.",
            listen="Play pink noise, the target and the match.",
            finds=(
                Finding("low_db", -9.01, -8.99, "The low band comes to {low_db:.3f} dB."),
                Finding("mid_db", 3.99, 4.01, "The middle band comes to {mid_db:+.3f} dB."),
                Finding("high_db", -15.01, -14.99, "The high band comes to {high_db:.3f} dB."),
            ),
            why=(
                "Nothing in the loop is about gains. A *processor* turns audio into audio and says how its output "
                "changes with its parameters; torch does the rest. rtgain.fit(rtgain.ThreeBandGain(16000), dry, "
                'target, optimizer="Rprop", lr=0.5) is all of it.\n\nA closed form there is none any more: the '
                "bands overlap, and their sum has its phase."
            ),
            figures={"bands": "The three gains, step by step."},
            sounds={"dry": "Pink noise.", "bands": "Through the three bands: the target.", "bands_matched": "Matched."},
        ),
        Step(
            title="A low shelf",
            text=(
                "A shelf of {true_shelf_db:.0f} dB below {true_shelf_hz:.0f} Hz: two parameters of different "
                "kinds, decibels and octaves. From −3 dB at 2 kHz Rprop comes to {shelf_db:.2f} dB at "
                "{shelf_hz:.1f} Hz, for it looks at no slope's size, only its sign."
            ),
            watch="both parameters, step by step.",
            listen="Play the target: what is below the corner is softer.",
            finds=(
                Finding("shelf_db", -12.05, -11.95, "The shelf's gain comes to {shelf_db:.3f} dB."),
                Finding("shelf_hz", 495.0, 505.0, "The shelf's corner comes to {shelf_hz:.1f} Hz."),
            ),
            why=(
                "It is the shelf of the audio equalizer cookbook (Bristow-Johnson), sampled in frequency: there is "
                "no recursion to differentiate through, and nothing that can become unstable on the way."
            ),
            figures={"shelf": "Gain and corner, step by step."},
            sounds={"shelf": "Through the shelf: the target."},
        ),
        Step(
            title="Where it stops being convex",
            text=(
                "Over the corner, the loss is no bowl: below it flattens, its slope {slope_ratio:.1f} times "
                "less than near. And a shelf of 0 dB is no shelf: its corner makes no difference, so "
                "a descent from there starts blind in that direction."
            ),
            watch="the valley, with its flat side.",
            finds=(
                Finding(
                    ("bulge_percent"),
                    1.0,
                    50.0,
                    (
                        "Half-way from 31 to 500 Hz the loss is {bulge_percent:.1f} % of its highest above the "
                        "straight line."
                    ),
                ),
                Finding(
                    ("slope_ratio"),
                    2.0,
                    100.0,
                    "Near the corner it is {slope_ratio:.1f} times steeper than at 31 Hz.",
                ),
                Finding("flat", 0.0, 1e-9, "At 0 dB, moving the corner changes the loss by {flat:.0g}."),
            ),
            why=(
                "A convex loss lies on or below the straight line between any two of its points. Here, half-way "
                "(in octaves) between 31 Hz and the true {true_shelf_hz:.0f} Hz, it lies {bulge_percent:.1f} % of "
                "its highest value above. One gain, kept positive, was convex; let it be negative, and it has two "
                "minima (lesson 3). From here on where one begins matters, and so do optimizers that do not trust "
                "the size of a slope."
            ),
            figures={"valley": "The loss against the corner, from 31 Hz to 8 kHz, the gain being right."},
        ),
    ),
)
