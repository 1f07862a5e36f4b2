"""Level meters: bars, held peaks and numbers."""

import math
from typing import Any

import pytest

from gui.panels.level_meters import FALL_DB_S, HOLD_S, LOWEST_DBFS, LevelMeters, MeterBar, PeakHold
from rtgain.output.curve_styles import DRY
from rtgain.records.levels import Level
from tests.gui.plots.test_loss_and_scope_plots import snapshot_after


def test_peak_is_held_and_then_falls() -> None:
    hold = PeakHold()
    assert hold.update(-6.0, 0.0) == -6.0
    assert hold.update(-40.0, HOLD_S) == -6.0
    assert hold.update(-40.0, HOLD_S + 0.5) == pytest.approx(-6.0 - 0.5 * FALL_DB_S)
    assert hold.update(-40.0, HOLD_S + 10.0) == -40.0


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
    snapshot.levels.update(dry=Level(-8.04, -11.05, -11.7), target=Level(-math.inf, -math.inf, -math.inf))
    snapshot.levels["difference"] = Level(-70.04, -75.0, -158.21)
    meters.show_numbers(snapshot)
    assert [label.text() for label in meters.numbers["dry"].values()] == ["−8.0", "−11.1", "−11.7"]
    assert [label.text() for label in meters.numbers["target"].values()] == ["−∞", "−∞", "−∞"]
    assert [label.text() for label in meters.numbers["difference"].values()] == ["−70.0", "−75.0", "−158.2"]


def test_clipping_is_shown_as_a_word(qtbot: Any) -> None:
    meters = LevelMeters()
    qtbot.addWidget(meters)
    snapshot = snapshot_after(1.0)
    snapshot.levels["dry"] = Level(0.0, -3.0, math.nan)
    meters.show_numbers(snapshot)
    assert meters.numbers["dry"]["peak_dbfs"].text() == "clips"
    assert meters.numbers["dry"]["lufs"].text() == "–"


def test_length_of_the_bar_is_the_level(qtbot: Any) -> None:
    """−30 dBFS is the middle of a scale from −60 to 0 dBFS."""
    bar = MeterBar(DRY)
    qtbot.addWidget(bar)
    bar.resize(200, 10)
    bar.show_levels(-30.0, -60.0)
    image = bar.grab().toImage()
    empty = image.pixelColor(195, 5)
    filled = [x for x in range(200) if image.pixelColor(x, 5) != empty]
    assert max(filled) == pytest.approx(100, abs=2)
