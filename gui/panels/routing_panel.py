"""Which channels are dry and target, and for a target that returns, which device hears it and what plays."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from gui.widgets.combo_box import ComboBox, fill, labelled_combo_box, select_data
from gui.widgets.device_combo_box import DeviceComboBox
from gui.widgets.parameter_row import NAME_WIDTH
from rtgain.config.names import SYNTHETIC_INPUTS
from rtgain.config.session_config import SessionConfig

if TYPE_CHECKING:
    from rtgain.records.snapshot import ChannelCounts

Entry = tuple[str, int | None]
"""A menu's text, and the channel that it stands for; None is the default."""


class RoutingPanel(QWidget):
    """A row for each choice that there is; nothing is shown where there is none."""

    chosen = Signal(dict)
    """What the user chose: channels by their names in `SessionConfig`, or an input device."""

    def __init__(self) -> None:
        super().__init__()
        self.input = DeviceComboBox("Input that hears the target", "inputs")
        self.dry, self.target_, self.output = (
            labelled_combo_box(name) for name in ("Dry channel", "Target channel", "Output channel")
        )
        self._rows: list[tuple[QLabel, ComboBox]] = []
        self._config = SessionConfig()
        self._channels: ChannelCounts | None = None
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        for name, menu in (("Hears", self.input), ("Dry", self.dry), ("Target", self.target_), ("Plays", self.output)):
            label = QLabel(name)
            label.setBuddy(menu)
            label.setFixedWidth(NAME_WIDTH)
            grid.addWidget(label, len(self._rows), 0)
            grid.addWidget(menu, len(self._rows), 1)
            self._rows.append((label, menu))
        self.input.chosen.connect(lambda spec: self.chosen.emit({"input_device": spec, "target_channel": None}))
        self.dry.activated.connect(lambda _: self._choose("dry_channel", self.dry, "target_channel"))
        self.target_.activated.connect(lambda _: self._choose("target_channel", self.target_, "dry_channel"))
        self.output.activated.connect(lambda _: self.chosen.emit({"output_channel": self.output.currentData()}))
        self._fill()

    def show_config(self, config: SessionConfig) -> None:
        """Show what `config` takes from where; nothing is emitted."""
        self._config = config
        self._fill()

    def show_channels(self, channels: "ChannelCounts") -> None:
        """Offer the channels that the session has; nothing is emitted."""
        if channels != self._channels:
            self._channels = channels
            self._fill()

    def _fill(self) -> None:
        config, there = self._config, self._channels
        dries, targets, outputs = (there.dry, there.target, there.output) if there else (0, 0, 0)
        if config.input in SYNTHETIC_INPUTS:  # what is there may still be of the source before
            dries = 0
        if config.target == "reference":
            targets = 0
        all_of_file = config.is_file and config.target != "channel"
        mean: list[Entry] = [("mean of all", None)] if all_of_file else []
        _offer(self.dry, [*mean, *_numbers(dries)], config.resolved_dry_channel)
        _offer(self.target_, _numbers(targets), config.resolved_target_channel)
        _offer(self.output, [("1 and 2", None), *_numbers(outputs)], config.output_channel)
        self.input.show_device(config.input_device)
        returns = config.target == "return"
        choices = (
            returns,
            dries > 1 or config.dry_channel is not None,
            targets > 1 or config.target_channel is not None,
            outputs > 1 or config.output_channel is not None,
        )
        for (label, menu), is_choice in zip(self._rows, choices, strict=True):
            label.setVisible(is_choice)
            menu.setVisible(is_choice)
        self.setVisible(any(choices))

    def _choose(self, name: str, menu: ComboBox, other: str) -> None:
        """Two signals of one place change places where one takes the other's channel."""
        config, channel = self._config, menu.currentData()
        now = {"dry_channel": config.resolved_dry_channel, "target_channel": config.resolved_target_channel}
        changes: dict[str, Any] = {name: channel}
        if config.target == "channel" and channel == now[other]:
            changes[other] = now[name]
        self.chosen.emit(changes)


def _offer(menu: ComboBox, entries: Sequence[Entry], channel: int | None) -> None:
    """Offer `entries`, and stand at `channel`, which is offered although it is not there; None is the first, if any."""
    fill(menu, entries)
    if channel is not None:
        select_data(menu, channel, str(channel))


def _numbers(count: int) -> list[Entry]:
    return [(str(channel), channel) for channel in range(1, count + 1)]
