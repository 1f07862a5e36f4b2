"""Readout of the estimate: gain and polarity of each channel."""

import math
from dataclasses import replace
from typing import Any

import pytest

from gui.panels.readout import Readout
from gui.state_texts import STATES
from tests.gui.plots.test_loss_and_scope_plots import snapshot_after


@pytest.fixture
def readout(qtbot: Any) -> Readout:
    readout = Readout()
    qtbot.addWidget(readout)
    return readout


def shown(readout: Readout) -> list[str]:
    return [label.text() for label in readout.channels if not label.isHidden()]


def test_stereo_shows_gain_and_polarity_of_each_channel(readout: Readout) -> None:
    snapshot = replace(snapshot_after(1.0), channel_gains_db=(-6.0, -5.996), channel_polarities=(1, -1))
    readout.show_snapshot(snapshot)
    assert shown(readout) == ["L −6.00 dB", "R −6.00 dB ø"]
    assert readout.channels[1].accessibleName() == "Right gain −6.00 dB, inverted"


def test_silent_channel_has_no_gain(readout: Readout) -> None:
    readout.show_snapshot(replace(snapshot_after(1.0), channel_gains_db=(-6.0, math.nan), channel_polarities=(1, 0)))
    assert shown(readout) == ["L −6.00 dB", "R – dB"]


def test_mono_shows_only_the_gain_of_the_estimate(readout: Readout) -> None:
    readout.show_snapshot(replace(snapshot_after(1.0), channel_gains_db=(-6.0,), channel_polarities=(1,)))
    assert shown(readout) == []
    readout.show_snapshot(replace(snapshot_after(1.0), channel_gains_db=(-6.0, -6.0), channel_polarities=(1, 1)))
    readout.show_starting()
    assert shown(readout) == []


def test_channels_do_not_change_the_height(readout: Readout) -> None:
    readout.show_snapshot(replace(snapshot_after(1.0), channel_gains_db=(-6.0, -6.0), channel_polarities=(-1, -1)))
    content = sum(label.sizeHint().height() for label in (readout.linear, readout.std, *readout.channels))
    margins = readout.layout().contentsMargins()
    assert content + margins.top() + margins.bottom() <= readout.height()


@pytest.mark.parametrize("state", STATES)
def test_every_state_fits_in_the_smallest_window(readout: Readout, state: str) -> None:
    readout.resize(408, readout.height())
    channels = {"channel_gains_db": (-60.0, -60.0), "channel_polarities": (-1, -1)}
    readout.show_snapshot(replace(snapshot_after(1.0), state=state, **channels), aligns=False)
    readout.show()
    assert readout.meaning.heightForWidth(readout.meaning.width()) <= readout.meaning.height()
    for label in (readout.state, readout.delay):
        assert label.sizeHint().width() <= label.width()
