"""State of a check over time."""

from collections.abc import Sequence

from rtgain.lessons.checks import Expectation, Observation, Outcome
from rtgain.number_format import format_compact


class ExpectationTracker:
    """Follows one expectation from moment to moment."""

    def __init__(self, expectation: Expectation) -> None:
        self.expectation = expectation
        self.outcome: Outcome = "waiting"
        self.came = ""
        """What there was at the last moment, or when it was seen."""
        self.now = ""
        """What there is, seen or not."""
        self._since_s: float | None = None
        self._before: Observation | None = None

    def take(self, moment: Observation) -> None:
        """Judge the next moment; what has been seen stays seen."""
        self.now = self.expectation.came(moment)
        if self.outcome == "seen":
            return
        self.came = self.now
        before, self._before = self._before, moment
        if not self.expectation.holds(moment, before):
            self._since_s = None
            self.outcome = "not so" if moment.time_s > self.expectation.deadline_s else "waiting"
            return
        if self._since_s is None:
            self._since_s = moment.time_s
        if self._since_s > self.expectation.deadline_s:
            self.outcome = "not so"
            since_s, deadline_s = format_compact(round(self._since_s, 1)), format_compact(self.expectation.deadline_s)
            self.came += f" only after {since_s} s, not {deadline_s}"
        else:
            self.outcome = "seen" if moment.time_s - self._since_s >= self.expectation.hold_s else "happening"


def together(watches: Sequence[ExpectationTracker]) -> Outcome:
    """The outcome of a step: seen when all is, not so when one is not."""
    outcomes = {watch.outcome for watch in watches}
    if outcomes <= {"seen"}:
        return "seen"
    if "not so" in outcomes:
        return "not so"
    return "happening" if outcomes & {"happening", "seen"} else "waiting"
