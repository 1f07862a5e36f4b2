"""Undo of the options: one step per change, merged for a drag."""

from gui.control.undo_history import Options, UndoHistory
from rtgain.config.session_config import SessionConfig


def options(gain_db: float) -> Options:
    return Options(SessionConfig(gain_db=gain_db), "target")


def test_undo_and_redo_walk_through_the_changes() -> None:
    history = UndoHistory()
    history.record(options(0), "gain_db", 0.0)
    history.record(options(-1), "phase_deg", 0.1)
    assert history.undo(options(-2)) == options(-1)
    assert history.undo(options(-1)) == options(0)
    assert history.undo(options(0)) is None
    assert history.redo(options(0)) == options(-1)
    assert history.redo(options(-1)) == options(-2)
    assert history.redo(options(-2)) is None


def test_drag_is_one_change_and_a_new_change_ends_redo() -> None:
    history = UndoHistory()
    for step in range(20):
        history.record(options(-step), "gain_db", 0.1 * step)
    assert history.undo(options(-20)) == options(0)
    history.record(options(0), "gain_db", 2.0)
    assert history.redo(options(-1)) is None
    history.record(options(-1), "gain_db", 4.0)  # more than a second later
    assert history.undo(options(-2)) == options(-1)
    assert history.undo(options(-1)) == options(0)
