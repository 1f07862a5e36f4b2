"""Protection from acoustic feedback."""

from gui.control.feedback_guard import FeedbackGuard
from rtgain.config.session_config import SessionConfig

MICROPHONE = SessionConfig(input="mic")


def test_microphone_is_muted_until_the_user_confirms() -> None:
    guard = FeedbackGuard("target")
    assert guard.needs_confirmation(MICROPHONE)
    assert guard.allowed(MICROPHONE) == "mute"
    guard.confirm()
    assert not guard.needs_confirmation(MICROPHONE)
    assert guard.allowed(MICROPHONE) == "target"


def test_one_confirmation_allows_all_monitors() -> None:
    guard = FeedbackGuard("target")
    guard.confirm()
    guard.requested = "difference"
    assert guard.allowed(MICROPHONE) == "difference"


def test_files_and_synthetic_sources_need_no_confirmation() -> None:
    for source in ("demo", "music.flac"):
        guard = FeedbackGuard("matched")
        assert guard.allowed(SessionConfig(input=source)) == "matched"


def test_mute_needs_no_confirmation() -> None:
    assert not FeedbackGuard("mute").needs_confirmation(MICROPHONE)


def test_returning_target_needs_confirmation() -> None:
    returned = SessionConfig(input="demo", target="return")
    assert FeedbackGuard("dry").allowed(returned) == "dry"
    assert FeedbackGuard("target").allowed(returned) == "mute"
    assert FeedbackGuard("difference").allowed(returned) == "mute"
