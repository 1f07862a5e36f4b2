"""Headless check of a lesson: runs each step on the offline clock and evaluates its checks."""

from collections.abc import Mapping, Sequence

from rtgain.config.session_config import SessionConfig
from rtgain.lessons.check_state import ExpectationTracker
from rtgain.lessons.checks import Observation, Outcome, SoundObservation, is_live_only
from rtgain.lessons.lesson import CheckResult, Lesson, Step
from rtgain.lessons.text_templates import fill_template
from rtgain.records.estimate import Estimate
from rtgain.session.offline import run_offline
from rtgain.session.session import Session


def check_lesson(lesson: Lesson, numbers: Mapping[str, float], seed: int) -> list[CheckResult]:
    """Check all steps of a lesson in order; `numbers` are those that its experiment measured."""
    results: list[CheckResult] = []
    for step in lesson.steps:
        results += [CheckResult(step, str(t.expectation), t.observed, t.outcome) for t in run_step(step, seed)]
        for check in step.checks:
            outcome: Outcome = "passed" if check.holds(numbers) else "failed"
            results.append(CheckResult(step, check.expected(numbers), fill_template(check.text, numbers), outcome))
    return results


def run_step(step: Step, seed: int) -> list[ExpectationTracker]:
    """Run a step's session on the offline clock, and return its expectations with their outcomes.

    Expectations that need a live clock or a listener are left out.
    """
    trackers = [ExpectationTracker(expectation) for expectation in step.expectations if not is_live_only(expectation)]
    config = SessionConfig(**step.all_controls, duration=step.duration_s, seed=seed)
    run_offline(
        config,
        on_start=lambda session: session.simulate_xrun() if step.action == "xrun" else None,
        on_estimates=lambda session, estimates: _observe(trackers, session, estimates),
    )
    return trackers


def _observe(trackers: list[ExpectationTracker], session: Session, estimates: Sequence[Estimate]) -> None:
    comparisons = session.comparisons
    sound = SoundObservation.of(session.levels(), session.equalizer, session.level_match)
    for estimate in estimates:
        observation = Observation.from_estimate(estimate, session.sample_rate, session.xruns, comparisons, sound)
        for tracker in trackers:
            tracker.observe(observation)
