"""Transport bar: source and output menus, start button."""

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox

from gui.background.device_list import Device
from gui.panels.transport import Transport
from gui.widgets.device_combo_box import DeviceComboBox, SourceComboBox
from rtgain.config.session_config import SessionConfig

USB = Device("USB Audio", "ALSA", 2, 2)
AMPLIFIER = Device("Amp", "ALSA", 0, 2)


@pytest.fixture
def source(qtbot: Any) -> SourceComboBox:
    menu = SourceComboBox()
    qtbot.addWidget(menu)
    menu.show_source(SessionConfig())
    return menu


@pytest.fixture
def output(qtbot: Any) -> DeviceComboBox:
    menu = DeviceComboBox("Output", "outputs")
    qtbot.addWidget(menu)
    return menu


def offered(menu: QComboBox) -> list[str]:
    return [menu.itemText(index) for index in range(menu.count()) if menu.itemText(index)]


def choose(qtbot: Any, menu: QComboBox, text: str) -> None:
    """Open the menu, select an item and press Enter."""
    menu.show()
    menu.showPopup()
    menu.view().setCurrentIndex(menu.model().index(menu.findText(text), 0))
    qtbot.keyClick(menu.view(), Qt.Key.Key_Return)


def test_source_menu_offers_built_in_sources_inputs_and_files(source: SourceComboBox) -> None:
    source.show_devices([USB, AMPLIFIER])
    source.show_source(SessionConfig(), ["/sounds/a.wav"])
    files = ["a.wav", "Open file…"]
    assert offered(source) == ["Demo", "Sine", "Pink noise", "Microphone", "USB Audio (ALSA)", *files]


def test_selected_source_is_emitted_with_its_device(qtbot: Any, source: SourceComboBox) -> None:
    source.show_devices([USB])
    with qtbot.waitSignal(source.chosen) as chosen:
        choose(qtbot, source, "USB Audio (ALSA)")
    assert chosen.args == [("mic", "USB Audio (ALSA)")]


def test_present_source_is_not_emitted_again(qtbot: Any, source: SourceComboBox) -> None:
    with qtbot.assertNotEmitted(source.chosen, wait=50):
        choose(qtbot, source, "Demo")


def test_open_file_keeps_the_present_source_selected(qtbot: Any, source: SourceComboBox) -> None:
    with qtbot.waitSignal(source.open_requested), qtbot.assertNotEmitted(source.chosen):
        choose(qtbot, source, "Open file…")
    assert source.currentText() == "Demo"


def test_long_name_is_elided_and_whole_in_the_tool_tip(source: SourceComboBox) -> None:
    path = "/sounds/" + "long" * 20 + ".wav"
    source.show_source(SessionConfig(input=path))
    assert len(source.currentText()) < 30
    assert source.toolTip() == path
    assert source.itemData(source.currentIndex(), Qt.ItemDataRole.ToolTipRole) == path


def test_opening_the_menu_requests_an_update(qtbot: Any, source: SourceComboBox) -> None:
    source.show()
    with qtbot.waitSignal(source.opened):
        source.showPopup()
    source.hidePopup()


def test_output_menu_offers_the_system_default_and_outputs(qtbot: Any, output: DeviceComboBox) -> None:
    output.show_devices([USB, AMPLIFIER, Device("Microphone", "ALSA", 1, 0)])
    assert offered(output) == ["System default", "USB Audio (ALSA)", "Amp (ALSA)"]
    with qtbot.waitSignal(output.chosen) as chosen:
        choose(qtbot, output, "Amp (ALSA)")
    assert chosen.args == ["Amp (ALSA)"]


def test_missing_device_is_offered_while_it_is_selected(output: DeviceComboBox) -> None:
    output.show_device("USB Audio (ALSA)")
    output.show_devices([AMPLIFIER])
    assert output.currentText() == "USB Audio (ALSA)"
    output.show_device(None)
    assert offered(output) == ["System default", "Amp (ALSA)"]


def test_start_button_shows_its_action(qtbot: Any) -> None:
    transport = Transport()
    qtbot.addWidget(transport)
    labels = {}
    for state in ("stopped", "starting", "running", "reconnecting"):
        transport.show_state(state)
        labels[state] = (transport.start_button.text().split()[-1], transport.start_button.accessibleName())
    assert labels == {
        "stopped": ("Start", "Start"), "starting": ("Starting…", "Stop"),
        "running": ("Stop", "Stop"), "reconnecting": ("Reconnecting…", "Stop"),
    }  # fmt: skip


def test_selected_microphone_is_offered_without_a_device_list(source: SourceComboBox) -> None:
    source.show_source(SessionConfig(input="mic", input_device="USB Audio (ALSA)"))
    assert source.currentText() == "USB Audio (ALSA)"


def test_file_is_shown_without_its_folder(source: SourceComboBox, tmp_path: Path) -> None:
    source.show_source(SessionConfig(input=str(tmp_path / "song.wav")))
    assert source.currentText() == "song.wav"


def test_names_of_devices_are_whole_in_the_list(output: DeviceComboBox, source: SourceComboBox) -> None:
    long = Device(
        "Scarlett 18i20 USB, front panel inputs and outputs, " + "analogue " * 8, "JACK Audio Connection Kit", 2, 2
    )
    for menu in (output, source):
        menu.show_devices([USB, long])
        assert long.spec in offered(menu)
        menu.show()
        menu.showPopup()
        row = menu.view().visualRect(menu.model().index(menu.findText(long.spec), 0))
        assert row.width() > menu.view().fontMetrics().horizontalAdvance(long.spec)
        menu.hidePopup()
