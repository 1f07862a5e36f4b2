"""Where a file is, and how to go elsewhere in it."""

from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import Qt

from gui.panels.position_bar import PositionBar


@pytest.fixture
def bar(qtbot: Any) -> PositionBar:
    bar = PositionBar()
    qtbot.addWidget(bar)
    bar.resize(600, 30)
    bar.show()
    return bar


def show(bar: PositionBar, position_s: float, length_s: float | None) -> None:
    bar.show_snapshot(SimpleNamespace(position_s=position_s, length_s=length_s))  # type: ignore[arg-type]


def test_it_is_there_for_what_has_a_length_only(bar: PositionBar) -> None:
    show(bar, 3.0, None)
    assert bar.isHidden()
    show(bar, 65.0, 200.0)
    assert bar.isVisible()
    assert bar.time.text() == "1:05 / 3:20"
    assert bar.slider.value() / bar.slider.maximum() == pytest.approx(65 / 200)


@pytest.mark.parametrize(
    ("position_s", "length_s", "text"),
    [(0.26, 0.5, "0.3 / 0.5 s"), (9.0, 9.9, "9.0 / 9.9 s"), (0.5, 10.0, "0:00 / 0:10")],
)
def test_a_short_sound_shows_tenths(bar: PositionBar, position_s: float, length_s: float, text: str) -> None:
    show(bar, position_s, length_s)
    assert bar.time.text() == text


def test_the_file_moves_it_without_asking_for_another_place(qtbot: Any, bar: PositionBar) -> None:
    with qtbot.assertNotEmitted(bar.seek_wanted):
        for second in range(5):
            show(bar, float(second), 200.0)


def test_a_key_goes_on_a_tenth_of_a_second_or_ten_seconds(qtbot: Any, bar: PositionBar) -> None:
    show(bar, 50.0, 200.0)
    bar.slider.setFocus()
    with qtbot.waitSignal(bar.seek_wanted) as told:
        qtbot.keyClick(bar.slider, Qt.Key.Key_Right)
    assert told.args == [50.1]
    with qtbot.waitSignal(bar.seek_wanted) as told:
        qtbot.keyClick(bar.slider, Qt.Key.Key_PageUp)
    assert told.args == [60.1]


def test_while_it_is_dragged_the_file_does_not_move_it_and_it_seeks_once(qtbot: Any, bar: PositionBar) -> None:
    show(bar, 0.0, 200.0)
    places: list[float] = []
    bar.seek_wanted.connect(places.append)
    bar.slider.setSliderDown(True)
    for step in range(500, 1001, 100):
        bar.slider.setSliderPosition(step)
        show(bar, 1.0, 200.0)
    assert (bar.slider.sliderPosition(), places) == (1000, [])
    bar.slider.setSliderDown(False)
    assert places == [100.0]
