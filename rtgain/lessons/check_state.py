"""State of a check over time."""

from collections.abc import Sequence

from rtgain.lessons.checks import Expectation, Observation, Outcome


class ExpectationTracker:
    """Follows one expectation through the observations of a step."""

    def __init__(self, expectation: Expectation) -> None:
        self.expectation = expectation
        self.outcome: Outcome = "pending"
        self.observed = ""
        """Text for the newest observation, or for the one with which the check passed."""
        self.current = ""
        """Text for the newest observation."""
        self._since_s: float | None = None
        self._previous: Observation | None = None

    def observe(self, observation: Observation) -> None:
        """Evaluate the next observation. A check that has passed stays passed."""
        self.current = self.expectation.describe(observation)
        if self.outcome == "passed":
            return
        self.observed = self.current
        previous, self._previous = self._previous, observation
        if not self.expectation.holds(observation, previous):
            self._since_s = None
            self.outcome = "failed" if observation.time_s > self.expectation.deadline_s else "pending"
            return
        if self._since_s is None:
            self._since_s = observation.time_s
        if self._since_s > self.expectation.deadline_s:
            self.outcome = "failed"
            self.observed += f" only after {round(self._since_s, 1):g} s, not {self.expectation.deadline_s:g}"
        else:
            held = observation.time_s - self._since_s >= self.expectation.hold_s
            self.outcome = "passed" if held else "holding"


def combined_outcome(trackers: Sequence[ExpectationTracker]) -> Outcome:
    """Outcome of a step: passed if all checks passed, failed if one failed."""
    outcomes = {tracker.outcome for tracker in trackers}
    if outcomes <= {"passed"}:
        return "passed"
    if "failed" in outcomes:
        return "failed"
    return "holding" if outcomes & {"holding", "passed"} else "pending"
