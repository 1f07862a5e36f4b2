"""What a lesson expects is judged by what came, for as long as it says."""

import math
from dataclasses import replace

import numpy as np
import pytest

from rtgain.lessons.check_state import ExpectationTracker
from rtgain.lessons.checks import ComparisonObservation, InRange, NoXruns, NumericCheck, Observation
from rtgain.lessons.text_templates import fill
from rtgain.records.history import History
from rtgain.records.snapshot import Comparison

ENTRY = "spectral/SGD@0.3"


def moment(time_s: float, *, xruns: int = 0, comparison: ComparisonObservation | None = None) -> Observation:
    comparisons = {ENTRY: comparison} if comparison else {}
    return Observation(time_s, "tracking", -16.48, 0.01, 0.0, 1, xruns, comparisons)


def comparison(time_s: list[float], gain_db: list[float]) -> Comparison:
    times, gains, unknown = np.array(time_s), np.array(gain_db), np.full(len(time_s), math.nan)
    history = History(times, unknown, gains, unknown, unknown, unknown, unknown, unknown)
    return Comparison(ENTRY, "spectral", "SGD", history, gain_db[-1] if gain_db else math.nan, "converging")


def test_a_machine_that_was_late_once_may_still_show_that_it_is_not_any_more() -> None:
    watch = ExpectationTracker(NoXruns(hold_s=1.0, deadline_s=6.0))
    for time_s, xruns in ((0.0, 0), (0.5, 2), (1.0, 2), (1.6, 3), (2.0, 3), (2.5, 3)):
        watch.take(moment(time_s, xruns=xruns))
        assert watch.outcome != "seen"
    watch.take(moment(3.1, xruns=3))
    assert (watch.outcome, watch.came) == ("seen", "xruns in this step 3")


def test_a_machine_that_is_always_late_never_shows_it() -> None:
    watch = ExpectationTracker(NoXruns(hold_s=1.0, deadline_s=6.0))
    for tenth in range(70):
        watch.take(moment(0.1 * tenth, xruns=tenth))
    assert watch.outcome == "not so"


def test_a_rivals_swing_is_that_of_its_last_second() -> None:
    raced = comparison([0.0, 1.0, 1.5, 2.0, 2.4], [0.0, -18.0, -14.0, -17.0, -15.0])
    assert ComparisonObservation.of(raced) == ComparisonObservation(-15.0, 3.0)
    assert ComparisonObservation.of(raced, time_s=1.6) == ComparisonObservation(-14.0, 4.0)
    nothing = ComparisonObservation.of(raced, time_s=-1.0)
    assert math.isnan(nothing.gain_db)
    assert math.isnan(nothing.swing_db)


@pytest.mark.parametrize(
    ("raced", "outcome"),
    [(None, "waiting"), (ComparisonObservation(-18.0, 4.5), "seen"), (ComparisonObservation(-18.0, 0.1), "waiting")],
)
def test_an_expectation_of_a_rival_is_not_met_by_the_estimate_itself(
    raced: ComparisonObservation | None, outcome: str
) -> None:
    watch = ExpectationTracker(InRange("swing_db", 1.0, 5.2, of=ENTRY))
    for time_s in (0.0, 0.6):
        watch.take(moment(time_s, comparison=raced))
    assert watch.outcome == outcome
    assert str(watch.expectation) == "spectral/SGD@0.3 swing 1 to 5.2 dB"


def test_a_number_that_is_not_known_yet_is_written_as_the_window_writes_it() -> None:
    watch = ExpectationTracker(InRange("gain_db", -16.58, -16.38))
    watch.take(replace(moment(0.0), gain_db=math.nan))
    assert (watch.outcome, watch.came) == ("waiting", "gain – dB")


def test_a_polarity_is_written_in_words() -> None:
    watch = ExpectationTracker(InRange("polarity", -1, -1))
    watch.take(replace(moment(0.0), polarity=-1))
    assert (str(watch.expectation), watch.came) == ("polarity inverted", "polarity inverted")


def test_what_was_to_be_found_is_said_as_what_was_found_is() -> None:
    finding = NumericCheck("low_db", -0.73, -0.71, "In {steps:.0f} steps it goes down to {low_db:+.3f} dB.")
    numbers = {"steps": 300.0, "low_db": -0.717}
    assert finding.expected(numbers) == "In 300 steps it goes down to −0.73 to −0.71 dB."
    assert fill(finding.text, numbers) == "In 300 steps it goes down to −0.717 dB."


def test_no_bound_is_rounded_to_nothing_and_nothing_has_no_sign() -> None:
    assert str(NumericCheck("gap", -1e-6, 0.0, "{gap}.")) == "\N{MINUS SIGN}1e\N{MINUS SIGN}06 to 0"
    watch = ExpectationTracker(InRange("gain_db", -0.01, 0.01))
    watch.take(replace(moment(0.0), gain_db=-7e-6))
    assert watch.came == "gain 0 dB"
