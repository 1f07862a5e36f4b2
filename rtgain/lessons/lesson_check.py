"""A lesson without a window: every step's session on the fast clock, and its experiment, held to what is expected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rtgain.config.session_config import SessionConfig
from rtgain.lessons.check_state import ExpectationTracker
from rtgain.lessons.checks import Observation, Outcome
from rtgain.lessons.lesson import Lesson, Step
from rtgain.lessons.text_templates import fill
from rtgain.records.estimate import Estimate
from rtgain.session.offline import run_offline
from rtgain.session.session import Session


@dataclass(frozen=True)
class Result:
    """What came of one thing that a step expected: what it was, what there was instead or indeed, and whether."""

    step: Step
    expected: str
    came: str
    outcome: Outcome


def check_lesson(lesson: Lesson, numbers: Mapping[str, float], seed: int) -> list[Result]:
    """The results of all steps in order; `numbers` are what the experiment measured."""
    results: list[Result] = []
    for step in lesson.steps:
        results += [Result(step, str(w.expectation), w.came, w.outcome) for w in play(step, seed)]
        for finding in step.finds:
            seen: Outcome = "seen" if finding.holds(numbers) else "not so"
            results.append(Result(step, finding.expected(numbers), fill(finding.text, numbers), seen))
    return results


def play(step: Step, seed: int) -> list[ExpectationTracker]:
    """Play a step's session on the fast clock, and give its expectations as they were judged."""
    watches = [ExpectationTracker(expectation) for expectation in step.expects]
    config = SessionConfig(**step.controls, duration=step.duration_s, seed=seed)
    run_offline(
        config,
        on_start=lambda session: session.simulate_xrun() if step.act == "xrun" else None,
        on_estimates=lambda session, estimates: _take(watches, session, estimates),
    )
    return watches


def _take(watches: list[ExpectationTracker], session: Session, estimates: Sequence[Estimate]) -> None:
    comparisons = session.comparisons
    for estimate in estimates:
        moment = Observation.of_estimate(estimate, session.sample_rate, session.xruns, comparisons)
        for watch in watches:
            watch.take(moment)
