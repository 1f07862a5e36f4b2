"""Panels of the reference equalizer and of the learned one."""

import math
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from gui.panels.learned_equalizer_panel import LearnedEqualizerPanel, describe_filter
from gui.panels.reference_equalizer_panel import ReferenceEqualizerPanel
from rtgain.config.reference_equalizer import FLAT_EQUALIZER, ReferenceEqualizer, ReferenceFilter
from rtgain.records.equalizer import EqualizerFilter
from tests.gui.panels.test_routing_panel import choose
from tests.gui.plots.test_equalizer_plot import learned_equalizer


@pytest.fixture
def reference(qtbot: Any) -> ReferenceEqualizerPanel:
    panel = ReferenceEqualizerPanel()
    qtbot.addWidget(panel)
    panel.show()
    return panel


@pytest.fixture
def learned(qtbot: Any) -> LearnedEqualizerPanel:
    panel = LearnedEqualizerPanel()
    qtbot.addWidget(panel)
    return panel


def numbers(panel: ReferenceEqualizerPanel, index: int) -> tuple[float, float, float]:
    item = panel.equalizer.filters[index]
    return item.frequency_hz, item.gain_db, item.q


def test_numbers_are_typed_and_emitted_as_a_whole_equalizer(qtbot: Any, reference: ReferenceEqualizerPanel) -> None:
    emitted: list[ReferenceEqualizer] = []
    reference.changed.connect(lambda changes: emitted.append(changes["equalizer"]))
    row = reference.rows[1]
    for box, text in ((row.frequency, "315"), (row.gain, "-4,5"), (row.q, "1.4")):
        box.selectAll()
        qtbot.keyClicks(box, text)
        qtbot.keyClick(box, Qt.Key.Key_Return)
    choose(qtbot, row.type, "High shelf")
    qtbot.keyClick(row.on, Qt.Key.Key_Space)
    expected = ReferenceFilter(type="high_shelf", frequency_hz=315.0, gain_db=-4.5, q=1.4, on=False)
    assert emitted[-1].filters[1] == expected
    assert emitted[-1].filters[2:] == FLAT_EQUALIZER.filters[2:], "the others stay"
    assert len(emitted) == 5


def test_points_change_filters_within_their_ranges(reference: ReferenceEqualizerPanel) -> None:
    reference.move_filter(3, 2.0, 4.0)
    reference.scale_q(3, 4.0)  # a quarter of an octave each
    assert numbers(reference, 3) == pytest.approx((4400.0, 4.0, 2.0))
    reference.move_filter(3, 100.0, 100.0)
    reference.scale_q(3, 100.0)
    assert numbers(reference, 3) == (20_000.0, 18.0, 10.0)
    reference.reset_gain(3)
    assert reference.rows[3].gain.value() == reference.equalizer.filters[3].gain_db == 0.0


def test_an_edit_keeps_digits_that_the_rows_do_not_show(reference: ReferenceEqualizerPanel) -> None:
    exact = ReferenceFilter(type="peak", frequency_hz=104.3, gain_db=1.234, q=0.707)
    reference.show_equalizer(ReferenceEqualizer(filters=(exact,)), enabled=True)
    reference.rows[0].gain.setValue(2.0)
    assert reference.equalizer.filters == (exact.model_copy(update={"gain_db": 2.0}),)


def test_files_with_more_filters_and_larger_numbers_are_shown(qtbot: Any, reference: ReferenceEqualizerPanel) -> None:
    wide = ReferenceFilter(type="peak", frequency_hz=22_000.0, gain_db=-30.0, q=20.0)
    with qtbot.assertNotEmitted(reference.changed):
        reference.show_equalizer(ReferenceEqualizer(gain_db=-6.3, filters=(wide,) * 10), enabled=True)
    assert [row.gain.isVisible() for row in reference.rows] == [True] * 10
    last = reference.rows[9]
    assert (last.frequency.value(), last.gain.value(), last.q.value()) == (22_000.0, -30.0, 20.0)
    assert reference.preamp.value() == -6.3
    reference.show_equalizer(FLAT_EQUALIZER, enabled=True)
    assert [row.gain.isVisible() for row in reference.rows] == [True] * 6 + [False] * 4


def test_few_filters_stay_at_the_top(reference: ReferenceEqualizerPanel) -> None:
    reference.resize(480, 320)
    first = reference.rows[0].gain
    tops = []
    for count in (6, 2):
        reference.show_equalizer(ReferenceEqualizer(filters=FLAT_EQUALIZER.filters[:count]), enabled=True)
        QApplication.processEvents()  # lays out
        tops.append(first.mapTo(reference, first.rect().topLeft()).y())
    assert tops[0] == tops[1]


def test_learned_settings_are_numbers(learned: LearnedEqualizerPanel) -> None:
    learned.show_learned(learned_equalizer(), is_on=True)
    learned.show_residual(-38.2)
    assert learned.residual.text() == "Difference −38 dB"
    assert learned.gain.text() == "Gain −16.00 dB, mean error 0.05 dB"
    texts = [[label.text() for label in labels] for labels in learned.rows]
    assert texts[0] == ["1", "Low shelf", "– dB", "no sound", "", ""]
    assert texts[5] == ["6", "High shelf", "6.00 dB", "± 0.10 dB", "8,000 Hz", "Q 0.71"]
    assert learned.save.isEnabled()
    assert learned.rows[0][1].accessibleName() == "Low shelf: no sound in its range"


def test_a_filter_is_described_in_one_sentence() -> None:
    item = EqualizerFilter("high_shelf", 8010.4, 6.021, 0.7071)
    assert describe_filter(item, 0.103) == "High shelf 6.02 dB ± 0.10 dB at 8,010 Hz, Q 0.71"
    assert describe_filter(item, 0.001) == "High shelf 6.02 dB ± 0.01 dB at 8,010 Hz, Q 0.71"


@pytest.mark.parametrize(("is_on", "text"), [(True, "Nothing is learned yet."), (False, "Select the processor Equal")])
def test_without_a_learned_equalizer_the_panel_says_why(learned: LearnedEqualizerPanel, is_on: bool, text: str) -> None:
    learned.show_learned(learned_equalizer(), is_on=True)
    learned.show_learned(None, is_on=is_on)
    learned.show_residual(math.nan)
    assert learned.gain.text().startswith(text)
    assert learned.residual.text() == "Difference – dB"
    assert not any(label.text() for labels in learned.rows for label in labels)
    assert not learned.save.isEnabled()
