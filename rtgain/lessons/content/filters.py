"""Lesson 7: from one gain to an equalizer."""

import math

from rtgain.config.reference_equalizer import FLAT_EQUALIZER, ReferenceEqualizer
from rtgain.lessons.checks import InRange, NumericCheck
from rtgain.lessons.lesson import Lesson, Step


def _equalizer(filters: dict[int, tuple[float, float, float]]) -> ReferenceEqualizer:
    """Flat equalizer whose rows with these numbers are on, with frequency in Hz, gain in dB and Q."""
    rows = []
    for number, row in enumerate(FLAT_EQUALIZER.filters, 1):
        frequency_hz, gain_db, q = filters.get(number, (row.frequency_hz, 0.0, row.q))
        update = {"frequency_hz": frequency_hz, "gain_db": gain_db, "q": q, "on": number in filters}
        rows.append(row.model_copy(update=update))
    return ReferenceEqualizer(filters=tuple(rows))


SHELF_Q = math.sqrt(0.5)
"""Q of a shelf of slope 1, the steepest without a bump."""

THREE_FILTERS = _equalizer({1: (150.0, 8.0, SHELF_Q), 3: (800.0, -9.0, 1.0), 6: (5000.0, 6.0, SHELF_Q)})
ONE_PEAK = _equalizer({3: (800.0, -9.0, 1.0)})
TWO_PEAKS = _equalizer({2: (300.0, 8.0, 2.0), 5: (4000.0, 12.0, 2.0)})
LOW_SHELF = _equalizer({1: (1000.0, 6.0, SHELF_Q)})

NOISE = {"input": "pink", "gain_db": -6.0}
MUSIC = {"input": "demo", "gain_db": -6.0, "processor": "eq"}

SILENT_DIFFERENCE = InRange("residual_db", -math.inf, -30.0, deadline_s=10.0)
RESPONSE_LEARNED = InRange("response_error_db", 0.0, 0.25, deadline_s=10.0)

LESSON = Lesson(
    name="filters",
    number=7,
    title="From one gain to an equalizer",
    summary="The same descent learns a gain and six bands at once, and the loss becomes a landscape.",
    steps=(
        Step(
            title="One gain is not enough",
            text=(
                "The target passes through an equalizer: filters that change the gain in parts of the spectrum. The "
                "sound is pink noise (3 dB weaker per octave, a doubling of the frequency). A low shelf changes the "
                "gain below a corner frequency: +8 dB below 150 Hz. A peak changes it around its frequency: −9 dB at "
                "800 Hz. A high shelf adds 6 dB above 5000 Hz: with the gain of −6 dB this is 0 dB. Most bins are "
                "above 5000 Hz, so a single gain ends at {one_gain_db:.2f} dB. The residual, the level of the "
                "difference relative to the target, is {one_residual_db:.0f} dB."
            ),
            watch=(
                "the spectrum: around 800 Hz the target is far below matched. ± is large: no gain fits all frequencies."
            ),
            listen="Target (2); Matched (3), which sounds different; Difference (4), far from silent.",
            controls={**NOISE, "equalizer": THREE_FILTERS},
            expectations=(InRange("gain_db", -0.3, 0.3), InRange("residual_db", -7.0, -2.0)),
            checks=(
                NumericCheck("one_gain_db", -0.3, 0.3, "A single gain ends at {one_gain_db:.2f} dB."),
                NumericCheck(
                    "one_residual_db", -7.0, -3.0, "With a single gain, the residual is {one_residual_db:.1f} dB."
                ),
            ),
            figures={
                "one_gain": (
                    "The response (gain against frequency) of the equalizer with the reference gain, and one gain."
                ),
            },
            sounds={"dry": "Pink noise.", "filtered": "The target: pink noise through the equalizer."},
            duration_s=3.0,
        ),
        Step(
            title="A gain and six bands",
            text=(
                "The estimator now learns an equalizer, a gain and six bands: a low shelf, four peaks and a high "
                "shelf. Each band has a gain, a frequency and a Q, which is large for a narrow band. With the gain "
                "these are 19 parameters. The matched signal passes through the learned filters. Bands that are not "
                "needed return to 0 dB; the others approach the reference. In the experiment, 120 steps of Adam on the "
                "spectral loss find other settings with nearly the same sound. The loss falls from {loss_start:.2f} to "
                "{loss_end:.2f}."
            ),
            watch=(
                "“Response”, the gain at each frequency: the learned curve joins the measured one. Discs are learned "
                "bands, rings those of the reference. “Difference” in “Learned equalizer” falls below −30 dB. Press R "
                "to see it again."
            ),
            listen="Target (2) and Matched (3): they sound alike. Difference (4): almost silent.",
            controls={**NOISE, "equalizer": THREE_FILTERS, "processor": "eq"},
            expectations=(SILENT_DIFFERENCE, RESPONSE_LEARNED),
            checks=(
                NumericCheck(
                    "fit_residual_db", -60.0, -30.0, "After 120 steps the residual is {fit_residual_db:.0f} dB."
                ),
                NumericCheck(
                    "fit_error_db", 0.0, 0.5, "The responses differ by {fit_error_db:.1f} dB (RMS over frequency)."
                ),
                NumericCheck(
                    "fit_gain_db",
                    -5.0,
                    -1.0,
                    "The learned gain is {fit_gain_db:.1f} dB, the true one −6 dB.",
                ),
            ),
            why=(
                "The descent is not limited to a gain. A *processor* turns audio into audio, and PyTorch computes how "
                "its output changes with each parameter (automatic differentiation). One call is enough: "
                'rtgain.fit(rtgain.ParametricEQ(48000), dry, target, optimizer="Adam", lr=0.2, steps=120). There is no '
                "closed form for 19 parameters.\n\nAdam finds the response, but not the parameters. Its gain is "
                "{fit_gain_db:.1f} dB instead of −6 dB, and the bands make up for the difference. Many settings have "
                "nearly the same response, so nearly the same loss. The last step is about this.\n\nThe live estimator "
                "has another loss and another optimizer. It measures the response, averaged over about two seconds. "
                "Ten times per second it fits the parameters to the measured response. Its optimizer (Gauss-Newton) "
                "uses the slopes of all parameters together. With Adam, pairs of bands drifted to large gains that "
                "cancel. The live estimator also tries fewer bands, and keeps them if they fit as well."
            ),
            sounds={"matched": "Pink noise through the learned equalizer."},
            duration_s=4.5,
            animation="The response of six bands approaches that of the target in 120 steps of Adam.",
        ),
        Step(
            title="The loss as a map",
            text=(
                "The source is music, and the equalizer has one peak: −9 dB at 800 Hz. In the experiment, only the "
                "gain and the frequency of one peak are free. The loss is then a landscape over two parameters, and "
                "the descent is a path in it. From −3 dB at 3000 Hz, 60 steps of Rprop lead to {peak_db:.1f} dB at "
                "{peak_hz:.0f} Hz. Where the gain is 0 dB, the frequency has no effect: along this line the landscape "
                "is level."
            ),
            watch=(
                "the map “Loss”: select “3 frequency” for x and “3 gain” for y, the peak in row 3. Dark means a small "
                "loss. Press R: the path starts again from a flat equalizer."
            ),
            listen="Dry (1), then Target (2), with weaker middle frequencies; Difference (4): almost silent.",
            controls={**MUSIC, "equalizer": ONE_PEAK},
            expectations=(SILENT_DIFFERENCE, RESPONSE_LEARNED),
            checks=(
                NumericCheck("peak_db", -9.2, -8.8, "The gain of the peak ends at {peak_db:.2f} dB."),
                NumericCheck("peak_hz", 780.0, 820.0, "The frequency of the peak ends at {peak_hz:.0f} Hz."),
                NumericCheck("flat", 0.0, 1e-9, "At a gain of 0 dB, another frequency changes the loss by {flat:.0g}."),
            ),
            why=(
                "The slopes of the two parameters differ in size and in unit: loss per decibel, and loss per octave. "
                "Rprop uses only their signs, and has its own step for each parameter.\n\nThis landscape is not "
                "convex. Far from 800 Hz it is almost level, because a peak far away hardly changes what is missing. A "
                "descent that starts there takes long, or ends elsewhere."
            ),
            figures={"map": "The loss over frequency and gain of one peak. The path leads from the ring to the point."},
            duration_s=4.5,
        ),
        Step(
            title="Local minima",
            text=(
                "The equalizer has two peaks: +8 dB at 300 Hz and +12 dB at 4000 Hz. In the experiment there is one "
                "peak to match both. From 400 Hz the descent ends at {trapped_hz:.0f} Hz, with a loss of "
                "{trapped_loss:.2f}. This is a local minimum: every small step makes the loss larger. The way out is a "
                "jump to where the responses differ most, {largest_hz:.0f} Hz. From there the loss falls to "
                "{escaped_loss:.2f}. The live estimator has four peaks and makes such jumps, too: it finds both."
            ),
            watch=(
                "the map of the experiment: no path downhill connects the two dark regions. Then drag ring 2 in "
                "“Response” to another frequency: a disc follows, and the check pauses."
            ),
            listen="Target (2) and Matched (3): alike. In the experiment: the target, trapped and escaped.",
            controls={**MUSIC, "equalizer": TWO_PEAKS},
            expectations=(SILENT_DIFFERENCE, RESPONSE_LEARNED),
            checks=(
                NumericCheck("trapped_hz", 290.0, 310.0, "From 400 Hz, the descent ends at {trapped_hz:.0f} Hz."),
                NumericCheck("trapped_residual_db", -9.0, -6.0, "There the residual is {trapped_residual_db:.1f} dB."),
                NumericCheck("escaped_hz", 3900.0, 4100.0, "After the jump, the descent ends at {escaped_hz:.0f} Hz."),
                NumericCheck(
                    "escaped_residual_db", -14.0, -10.0, "There the residual is {escaped_residual_db:.1f} dB."
                ),
            ),
            why=(
                "At {trapped_db:.1f} dB and {trapped_hz:.0f} Hz the peak matches one of the two. A small change of its "
                "frequency makes this match worse and does not improve the other one. At {escaped_db:.1f} dB and "
                "{escaped_hz:.0f} Hz it matches the other one, which covers more bins. So both are minima, and one is "
                "lower.\n\nA descent uses only the slope at the present point. To leave a local minimum, it needs "
                "other information: here the measured response. The live estimator moves one peak to the largest "
                "difference and descends again. It keeps the result if it is better."
            ),
            figures={
                "minima": (
                    "The loss over frequency and gain of one peak, if the target has two. One path is trapped, the "
                    "other one starts after the jump."
                ),
            },
            sounds={
                "peaks": "The target, with two peaks.",
                "trapped": "Trapped: the high peak is missing.",
                "escaped": "Escaped: the low peak is missing.",
            },
            duration_s=4.5,
        ),
        Step(
            title="Bands that cancel, and a prior",
            text=(
                "Two bands can cancel: +9 dB at 800 Hz, −9 dB a quarter of an octave above. The result is almost the "
                "dry sound (residual {cancel_residual_db:.0f} dB). On the experiment's map, this is a long valley. SGD "
                "is slow in it: after 100 steps the gains are {plain_first_db:+.1f} and {plain_second_db:.1f} dB. A "
                "prior is a cost for what is improbable, here 0.01 per dB of each gain. With it, SGD ends at "
                "{prior_first_db:.1f} and {prior_second_db:.1f} dB. The live estimator has a prior, too. This target "
                "has no equalizer: all bands stay at 0 dB."
            ),
            watch=(
                "“Learned equalizer”: all gains stay at 0 dB. A band marked “no sound” is where the music has no "
                "energy. In the experiment: the valley, and the two paths."
            ),
            listen="Difference (4): silent. In the experiment: the dry sound and the two bands that cancel.",
            controls=MUSIC,
            expectations=(InRange("gain_db", -6.05, -5.95), InRange("largest_band_db", -0.05, 0.05)),
            checks=(
                NumericCheck(
                    "cancel_residual_db",
                    -30.0,
                    -15.0,
                    "With +9 and −9 dB, the residual is {cancel_residual_db:.0f} dB.",
                ),
                NumericCheck("cancel_loss", 0.0, 0.1, "With +9 and −9 dB, the loss is {cancel_loss:.2f}."),
                NumericCheck("same_loss", 0.5, 1.0, "With +9 and +9 dB, the loss is {same_loss:.2f}."),
                NumericCheck(
                    "plain_first_db", 6.0, 9.0, "Without a prior, the first gain is still {plain_first_db:+.1f} dB."
                ),
                NumericCheck("prior_first_db", -0.5, 0.5, "With a prior, the first gain is {prior_first_db:.1f} dB."),
            ),
            why=(
                "In the valley, one gain goes up while the other one goes down, and the response hardly changes. So "
                "the slope along the valley is small, and noise decides where a descent ends. It may end at large "
                "gains that cancel. They cancel only where the sound has energy. When other frequencies are added, the "
                "error becomes audible.\n\nThe *prior* adds {prior_cost:.2f} to the loss at +9 and −9 dB, and nothing "
                "at 0 dB. This is more than the loss itself, {cancel_loss:.2f}. So the sum slopes toward small gains. "
                "The price is a small error: a prior also makes correct gains a little smaller."
            ),
            figures={"valley": "The loss over the gains of two bands next to each other. The target is the dry sound."},
            sounds={
                "dry": "Pink noise, the dry sound.",
                "canceled": "Pink noise with +9 dB and −9 dB: almost the dry sound.",
            },
            duration_s=4.5,
        ),
    ),
)
