"""Routing of channels, and the input device of a returning target."""

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox

from gui.background.device_list import Device
from gui.main_window import MainWindow
from gui.panels.routing_panel import RoutingPanel
from rtgain.config.session_config import SessionConfig
from rtgain.records.snapshot import ChannelCounts
from tests.gui.conftest import Sessions

OpenWindow = Callable[..., MainWindow]


@pytest.fixture
def panel(qtbot: Any) -> RoutingPanel:
    panel = RoutingPanel()
    qtbot.addWidget(panel)
    return panel


def offered(menu: QComboBox) -> list[str]:
    return [menu.itemText(index) for index in range(menu.count())]


def choose(qtbot: Any, menu: QComboBox, text: str) -> None:
    """Choose an item by keyboard: open the menu, select the item, press Enter."""
    menu.setFocus()
    menu.showPopup()
    view = menu.view()
    view.setCurrentIndex(menu.model().index(menu.findText(text), 0))
    qtbot.keyClick(view, Qt.Key.Key_Return)


def test_panel_is_hidden_without_choices(panel: RoutingPanel) -> None:
    panel.show_config(SessionConfig(input="a.wav"))
    panel.show_channels(ChannelCounts(1, 0, 0))
    assert panel.isHidden()


def test_synthetic_source_offers_mono_and_stereo_only(panel: RoutingPanel) -> None:
    panel.show_config(SessionConfig())
    panel.show_channels(ChannelCounts(0, 0, 0))
    assert offered(panel.channels) == ["Auto (stereo)", "Mono", "Stereo"]
    assert panel.channels.currentText() == "Auto (stereo)"
    panel.show_config(SessionConfig(input="pink", channels=2))
    assert offered(panel.channels)[0] == "Auto (mono)"
    assert panel.channels.currentText() == "Stereo"
    assert panel.dry.isHidden()


def test_stereo_file_offers_pairs(panel: RoutingPanel) -> None:
    panel.show_config(SessionConfig(input="a.wav"))
    panel.show_channels(ChannelCounts(2, 0, 0))
    assert offered(panel.dry) == ["1, 2"]
    assert panel.dry.isHidden()  # one pair is not a choice
    assert panel.channels.currentText() == "Auto (stereo)"
    panel.show_channels(ChannelCounts(5, 0, 0))
    assert offered(panel.dry) == ["1, 2", "3, 4"]
    assert not panel.dry.isHidden()
    panel.show_config(SessionConfig(input="a.wav", dry_channel=(2, 1)))
    assert panel.dry.currentText() == "2, 1"


def test_two_recordings_are_mono_or_stereo_and_have_no_other_choice(panel: RoutingPanel) -> None:
    panel.show_config(SessionConfig(input="a.wav", target="b.wav"))
    panel.show_channels(ChannelCounts(2, 2, 0))
    assert panel.channels.currentText() == "Auto (stereo)"
    assert (panel.channels.isHidden(), panel.dry.isHidden(), panel.target_.isHidden()) == (False, True, True)
    panel.show_channels(ChannelCounts(1, 1, 0))
    assert panel.channels.isHidden()


def test_two_signals_of_a_file_need_four_channels_for_stereo(panel: RoutingPanel) -> None:
    panel.show_config(SessionConfig(input="a.wav", target="channel"))
    panel.show_channels(ChannelCounts(3, 3, 0))
    assert panel.channels.isHidden()
    panel.show_channels(ChannelCounts(4, 4, 0))
    assert panel.channels.currentText() == "Auto (stereo)"
    assert (panel.dry.currentText(), panel.target_.currentText()) == ("1, 2", "3, 4")


def test_mono_of_a_file_with_four_channels_offers_each_and_the_mono_mix(panel: RoutingPanel) -> None:
    panel.show_config(SessionConfig(input="a.wav", channels=1))
    panel.show_channels(ChannelCounts(4, 0, 0))
    assert offered(panel.dry) == ["mono mix", "1", "2", "3", "4"]
    assert panel.dry.currentText() == "mono mix"
    assert panel.target_.isHidden()


def test_device_with_four_inputs_offers_them_for_dry_and_target(panel: RoutingPanel) -> None:
    panel.show_config(SessionConfig(input="mic", target="channel", dry_channel=3))
    panel.show_channels(ChannelCounts(4, 4, 0))
    assert offered(panel.dry) == offered(panel.target_) == ["1", "2", "3", "4"]
    assert (panel.dry.currentText(), panel.target_.currentText()) == ("3", "2")


def test_channels_of_the_previous_source_are_not_offered(panel: RoutingPanel) -> None:
    panel.show_config(SessionConfig(input="four.wav", target="channel"))
    panel.show_channels(ChannelCounts(4, 4, 0))
    assert not panel.dry.isHidden()
    panel.show_config(SessionConfig(input="demo"))
    assert panel.dry.isHidden()


def test_return_target_offers_input_devices_and_output_channels(panel: RoutingPanel) -> None:
    panel.input.show_devices([Device("USB", "ALSA", 4, 0), Device("Loudspeaker", "ALSA", 0, 2)])
    panel.show_config(SessionConfig(target="return", target_channel=3, output_channel=4))
    panel.show_channels(ChannelCounts(0, 4, 6))
    assert offered(panel.input) == ["System default", "USB (ALSA)"]
    assert (panel.target_.currentText(), panel.output.currentText()) == ("3", "4")
    assert offered(panel.output) == ["1 and 2", "1", "2", "3", "4", "5", "6"]
    assert panel.dry.isHidden()
    panel.show_config(SessionConfig(target="return"))
    assert offered(panel.target_) == ["1, 2", "3, 4"]
    assert offered(panel.output) == ["1, 2", "3, 4", "5, 6"]


def test_selected_channel_restarts_the_session(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window(input="mic", target="channel")
    sessions.last.faults["channel_counts"] = ChannelCounts(4, 4, 0)
    qtbot.waitUntil(lambda: window.reference.routing.dry.count() == 4)
    choose(qtbot, window.reference.routing.dry, "4")
    qtbot.waitUntil(lambda: len(sessions.made) == 2)
    assert (sessions.last.config.dry_channel, sessions.last.config.resolved_target_channels(1)) == ((4,), (2,))


def test_selected_number_of_channels_restarts_the_session_with_default_channels(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    window = open_window(input="four.wav", dry_channel=(3, 4))
    sessions.last.faults["channel_counts"] = ChannelCounts(4, 0, 0)
    qtbot.waitUntil(lambda: window.reference.routing.dry.count() == 2)
    choose(qtbot, window.reference.routing.channels, "Mono")
    qtbot.waitUntil(lambda: len(sessions.made) == 2)
    assert (sessions.last.config.channels, sessions.last.config.dry_channel) == (1, None)


def test_selected_pair_restarts_the_session(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window(input="four.wav")
    sessions.last.faults["channel_counts"] = ChannelCounts(4, 0, 0)
    qtbot.waitUntil(lambda: window.reference.routing.dry.count() == 2)
    choose(qtbot, window.reference.routing.dry, "3, 4")
    qtbot.waitUntil(lambda: len(sessions.made) == 2)
    assert sessions.last.config.dry_channel == (3, 4)


def test_selecting_the_other_signals_channel_swaps_dry_and_target(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    window = open_window(input="stereo.wav", target="channel")
    sessions.last.faults["channel_counts"] = ChannelCounts(2, 2, 0)
    qtbot.waitUntil(lambda: window.reference.routing.dry.count() == 2)
    choose(qtbot, window.reference.routing.dry, "2")
    qtbot.waitUntil(lambda: len(sessions.made) == 2)
    assert (sessions.last.config.dry_channel, sessions.last.config.target_channel) == ((2,), (1,))


def test_another_source_or_target_resets_the_channels(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window(input="stereo.wav", target="channel", dry_channel=2, target_channel=1)
    window.session_actions.choose_source(("demo", None))
    qtbot.waitUntil(lambda: len(sessions.made) == 2)
    assert sessions.last.config == SessionConfig(monitor="target")
    window.session_actions.choose_target("return")
    qtbot.waitUntil(lambda: len(sessions.made) == 3)
    window.session_actions.choose_routing({"output_channel": 2, "input_device": "USB (ALSA)"})
    qtbot.waitUntil(lambda: len(sessions.made) == 4)
    assert sessions.last.config.output_channel == (2,)
    window.session_actions.choose_target("reference")
    qtbot.waitUntil(lambda: len(sessions.made) == 5)
    assert sessions.last.config.output_channel is None
