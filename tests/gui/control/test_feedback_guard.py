"""The feedback guard."""

from gui.control.feedback_guard import FeedbackGuard
from rtgain.config.session_config import SessionConfig

MICROPHONE = SessionConfig(input="mic")


def test_a_microphone_is_silent_until_the_user_has_agreed() -> None:
    guard = FeedbackGuard("target")
    assert guard.asks(MICROPHONE)
    assert guard.heard(MICROPHONE) == "mute"
    guard.confirm()
    assert not guard.asks(MICROPHONE)
    assert guard.heard(MICROPHONE) == "target"


def test_the_user_is_asked_once_a_run_whatever_is_heard_next() -> None:
    guard = FeedbackGuard("target")
    guard.confirm()
    guard.wanted = "difference"
    assert guard.heard(MICROPHONE) == "difference"


def test_a_file_or_a_synthetic_source_needs_no_word() -> None:
    for source in ("demo", "music.flac"):
        guard = FeedbackGuard("matched")
        assert guard.heard(SessionConfig(input=source)) == "matched"


def test_nobody_is_asked_about_silence() -> None:
    assert not FeedbackGuard("mute").asks(MICROPHONE)


def test_what_the_input_hears_is_guarded_when_it_is_the_target() -> None:
    returned = SessionConfig(input="demo", target="return")
    assert FeedbackGuard("dry").heard(returned) == "dry"
    assert FeedbackGuard("target").heard(returned) == "mute"
    assert FeedbackGuard("difference").heard(returned) == "mute"
