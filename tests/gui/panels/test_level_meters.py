"""Level meters: bars, held peaks and numbers."""

import math
from typing import Any

import pytest
from PySide6.QtWidgets import QWidget

from gui.panels.level_meters import (
    BARS_HEIGHT,
    COLUMNS,
    COLUMNS_MIN,
    FALL_DB_S,
    HOLD_S,
    LETTER_PIXELS,
    LOWEST_DBFS,
    LevelMeters,
    MeterBar,
    PeakHold,
)
from rtgain.output.curve_styles import DRY
from rtgain.records.levels import Level, Loudness
from tests.gui.plots.test_loss_and_scope_plots import snapshot_after


def test_peak_is_held_and_then_falls() -> None:
    hold = PeakHold()
    assert hold.update(-6.0, 0.0) == -6.0
    assert hold.update(-40.0, HOLD_S) == -6.0
    assert hold.update(-40.0, HOLD_S + 0.5) == pytest.approx(-6.0 - 0.5 * FALL_DB_S)
    assert hold.update(-40.0, HOLD_S + 10.0) == -40.0


def test_unknown_peak_of_a_new_session_releases_the_held_one_and_is_not_held() -> None:
    hold = PeakHold()
    hold.update(-6.0, 30.0)
    assert math.isnan(hold.update(math.nan, 0.0))
    assert hold.update(-40.0, 0.1) == -40.0
    assert hold.update(-50.0, 0.2) == -40.0


def test_peak_below_the_bar_is_released() -> None:
    hold = PeakHold()
    hold.update(-6.0, 0.0)
    falls_s = HOLD_S + (-6.0 - LOWEST_DBFS) / FALL_DB_S
    assert hold.update(-math.inf, falls_s - 0.1) == pytest.approx(LOWEST_DBFS + 0.1 * FALL_DB_S)
    assert hold.update(-math.inf, falls_s + 0.1) == -math.inf


def test_higher_peak_is_shown_at_once() -> None:
    hold = PeakHold()
    hold.update(-20.0, 0.0)
    assert hold.update(-3.0, 0.1) == -3.0


def test_restarted_session_resets_the_peak() -> None:
    hold = PeakHold()
    hold.update(-1.0, 100.0)
    assert hold.update(-30.0, 0.0) == -30.0


def test_every_meter_shows_its_numbers(qtbot: Any) -> None:
    meters = LevelMeters()
    qtbot.addWidget(meters)
    snapshot = snapshot_after(1.0)
    silence = Loudness(-math.inf, -math.inf, -math.inf, math.nan, -math.inf)
    snapshot.levels["dry"] = Level((-8.04,), (-11.05,), Loudness(-11.7, -12.0, -13.0, 4.04, -7.9))
    snapshot.levels["target"] = Level((-math.inf,), (-math.inf,), silence)
    snapshot.levels["difference"] = Level((-70.04,), (-75.0,), Loudness(momentary_lufs=-158.21))
    meters.show_numbers(snapshot)
    texts = {name: [label.text() for label in numbers.values()] for name, numbers in meters.numbers.items()}
    assert texts["dry"] == ["−8.0", "−11.1", "−11.7", "−13.0", "−12.0", "4.0", "−7.9"]
    assert texts["target"] == ["−∞", "−∞", "−∞", "−∞", "−∞", "–", "−∞"]
    assert texts["difference"] == ["−70.0", "−75.0", "−158.2", "–", "–", "–", "–"]


def test_numbers_of_stereo_are_those_of_the_louder_channel_and_the_tool_tip_has_both(qtbot: Any) -> None:
    meters = LevelMeters()
    qtbot.addWidget(meters)
    snapshot = snapshot_after(1.0)
    loudness = Loudness(-11.7, -12.0, -13.0, 4.0, -7.9)
    snapshot.levels["dry"] = Level((-8.0, -6.0), (-11.0, -14.0), loudness)
    meters.show_numbers(snapshot)
    assert [meters.numbers["dry"][field].text() for field in ("peak_dbfs", "rms_dbfs")] == ["−6.0", "−11.0"]
    assert meters.bars["dry"].toolTip().splitlines() == [
        "Left: peak −8.0 dBFS, RMS −11.0 dBFS",
        "Right: peak −6.0 dBFS, RMS −14.0 dBFS",
        "Loudness: momentary −11.7 LUFS, short-term −12.0 LUFS, integrated −13.0 LUFS",
        "Loudness range 4.0 LU, true peak −7.9 dBTP",
    ]


def test_wide_meters_show_more_numbers_and_can_become_narrow_again(qtbot: Any) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    meters = LevelMeters()
    meters.setParent(window)
    window.show()
    narrow = meters.minimumSizeHint().width()
    for width, expected in ((narrow, COLUMNS_MIN), (1000, len(COLUMNS)), (narrow, COLUMNS_MIN)):
        meters.resize(width, meters.height())
        shown = [field for field, label in meters.numbers["dry"].items() if label.isVisible()]
        assert shown == list(COLUMNS)[:expected]
        assert meters.minimumSizeHint().width() == narrow


def test_clipping_is_shown_as_a_word(qtbot: Any) -> None:
    meters = LevelMeters()
    qtbot.addWidget(meters)
    snapshot = snapshot_after(1.0)
    snapshot.levels["dry"] = Level((-6.0, 0.0), (-9.0, -3.0))
    meters.show_numbers(snapshot)
    assert meters.numbers["dry"]["peak_dbfs"].text() == "clips"
    assert meters.numbers["dry"]["momentary_lufs"].text() == "–"


def test_length_of_the_bar_is_the_level(qtbot: Any) -> None:
    """−30 dBFS is the middle of a scale from −60 to 0 dBFS."""
    bar = MeterBar(DRY)
    qtbot.addWidget(bar)
    bar.resize(200, 10)
    bar.show_levels([-30.0], [-60.0])
    image = bar.grab().toImage()
    empty = image.pixelColor(195, 5)
    filled = [x for x in range(200) if image.pixelColor(x, 5) != empty]
    assert max(filled) == pytest.approx(100, abs=2)


def test_bar_is_painted_again_only_if_a_pixel_changes(qtbot: Any) -> None:
    bar = MeterBar(DRY)
    qtbot.addWidget(bar)
    bar.resize(100, 10)  # 0.3 dB per half pixel
    bar.show()
    bar.show_levels([-30.0], [-9.0])
    first = bar.grab().toImage()
    bar.show_levels([-30.1], [-9.1])
    assert bar.grab().toImage() == first
    bar.show_levels([-30.7], [-9.0])
    second = bar.grab().toImage()
    assert second != first
    bar.show_levels([-30.7], [0.0])
    assert bar.grab().toImage() != second


def test_left_channel_is_above_the_right_one(qtbot: Any) -> None:
    bar = MeterBar(DRY)
    qtbot.addWidget(bar)
    bar.resize(200 + LETTER_PIXELS, BARS_HEIGHT)
    bar.show_levels([-15.0, -30.0], [-60.0, -60.0])
    image = bar.grab().toImage()
    for top, share in ((0, 0.75), (BARS_HEIGHT // 2, 0.5)):
        y = top + BARS_HEIGHT // 4
        empty = image.pixelColor(195 + LETTER_PIXELS, y)
        filled = [x for x in range(LETTER_PIXELS, 195 + LETTER_PIXELS) if image.pixelColor(x, y) != empty]
        assert max(filled) == pytest.approx(LETTER_PIXELS + 200 * share, abs=2)


def test_height_of_the_meters_does_not_depend_on_the_channels(qtbot: Any) -> None:
    """The panels beside and above them must not move when the first snapshot of a stereo session arrives."""
    meters = LevelMeters()
    qtbot.addWidget(meters)
    snapshot = snapshot_after(1.0)
    heights = []
    for levels in ((-9.0,), (-9.0, -12.0)):
        snapshot.levels.update(dict.fromkeys(snapshot.levels, Level(levels, levels)))
        meters.show_bars(snapshot)
        meters.layout().activate()
        heights.append(meters.sizeHint().height())
    assert heights[0] == heights[1]
