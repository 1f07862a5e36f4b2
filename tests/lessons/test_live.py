"""Lessons 1 to 4 in real time: every step does on live audio what it says, held to it by the code of the window."""

import time

import pytest

from rtgain.config import SessionConfig
from rtgain.estimation.settings import RATES
from rtgain.lessons import LESSONS
from rtgain.lessons.expectations import Moment, Outcome, Watch, together
from rtgain.lessons.lesson import Lesson, Step
from rtgain.session import Session

pytestmark = pytest.mark.alone

AT_START = ("input", "align", "window_ms", "hop_ms")
"""What a session takes when it starts; all else is switched while it plays."""


def switch(session: Session, step: Step) -> None:
    """Set a step's controls on a session that plays, and begin the estimate anew."""
    settings = step.settings
    default = RATES[settings["optimizer"]]
    session.set_reference(
        gain_db=settings["gain_db"],
        polarity=-1 if settings["polarity"] == "invert" else 1,
        phase_deg=settings["phase_deg"],
        delay_ms=settings["delay_ms"],
    )
    session.set_estimator(
        loss=settings["loss"],
        optimizer=settings["optimizer"],
        lr=settings["lr"] or default.lr,
        steps=settings["steps"] or default.steps,
    )
    session.reset_estimate()


def outcome_of(session: Session, step: Step) -> Outcome:
    """Look at snapshots, thirty a second, until all is seen or it is too late for that."""
    watches = [Watch(expectation) for expectation in step.expects]
    first = session.snapshot()
    while together(watches) in ("waiting", "happening"):
        time.sleep(1 / 30)
        moment = Moment.of_snapshot(session.snapshot(), first.time_s, first.xruns)
        for watch in watches:
            watch.take(moment)
    return together(watches)


def stretches(lesson: Lesson) -> list[list[Step]]:
    """The lesson's steps, cut where a session has to start anew."""
    parts: list[list[Step]] = []
    for step in lesson.steps:
        if parts and all(step.settings[name] == parts[-1][-1].settings[name] for name in AT_START):
            parts[-1].append(step)
        else:
            parts.append([step])
    return parts


@pytest.mark.parametrize("lesson", LESSONS[:4], ids=lambda lesson: lesson.name)
def test_every_step_comes_true_on_live_audio(lesson: Lesson) -> None:
    for steps in stretches(lesson):
        with Session(SessionConfig(**steps[0].controls), clock="realtime") as session:
            session.start(wait=True)
            for step in steps:
                if step is not steps[0]:
                    switch(session, step)
                assert outcome_of(session, step) == "seen", step.title
