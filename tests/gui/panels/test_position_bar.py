"""Position bar of a file."""

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


def test_bar_is_visible_for_sources_with_a_length(bar: PositionBar) -> None:
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
def test_short_sound_shows_tenths_of_seconds(bar: PositionBar, position_s: float, length_s: float, text: str) -> None:
    show(bar, position_s, length_s)
    assert bar.time.text() == text


def test_playing_moves_the_slider_without_seeking(qtbot: Any, bar: PositionBar) -> None:
    with qtbot.assertNotEmitted(bar.seek_requested):
        for second in range(5):
            show(bar, float(second), 200.0)


def test_keys_seek_a_tenth_of_a_second_or_ten_seconds(qtbot: Any, bar: PositionBar) -> None:
    show(bar, 50.0, 200.0)
    bar.slider.setFocus()
    with qtbot.waitSignal(bar.seek_requested) as seek:
        qtbot.keyClick(bar.slider, Qt.Key.Key_Right)
    assert seek.args == [50.1]
    with qtbot.waitSignal(bar.seek_requested) as seek:
        qtbot.keyClick(bar.slider, Qt.Key.Key_PageUp)
    assert seek.args == [60.1]


def test_click_goes_there(qtbot: Any, bar: PositionBar) -> None:
    show(bar, 0.0, 200.0)
    with qtbot.waitSignal(bar.seek_requested) as seek:
        qtbot.mouseClick(bar.slider, Qt.MouseButton.LeftButton, pos=bar.slider.rect().center())
    assert seek.args[0] == pytest.approx(100.0, abs=0.5)


def test_dragged_slider_seeks_once_when_released(qtbot: Any, bar: PositionBar) -> None:
    show(bar, 0.0, 200.0)
    positions: list[float] = []
    bar.seek_requested.connect(positions.append)
    bar.slider.setSliderDown(True)
    for step in range(500, 1001, 100):
        bar.slider.setSliderPosition(step)
        show(bar, 1.0, 200.0)
    assert (bar.slider.sliderPosition(), positions) == (1000, [])
    bar.slider.setSliderDown(False)
    assert positions == [100.0]
