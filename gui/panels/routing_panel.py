"""Routing of channels: dry, target, and for target "return" the input device and the output channel."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from gui.widgets.combo_box import ComboBox, labelled_combo_box, select_data, set_items
from gui.widgets.device_combo_box import DeviceComboBox
from rtgain.config.names import SYNTHETIC_INPUTS
from rtgain.config.session_config import SessionConfig

if TYPE_CHECKING:
    from rtgain.records.snapshot import ChannelCounts

Item = tuple[str, int | None]
"""Text of an item, and its channel; None is the default."""

LABEL_WIDTH = 96
"""Width in pixels of the labels of the rows."""


class RoutingPanel(QWidget):
    """One row per choice; hidden if there are no choices."""

    chosen = Signal(dict)
    """The user changed these options: channels or the input device, by their names in `SessionConfig`."""

    def __init__(self) -> None:
        super().__init__()
        self.input = DeviceComboBox("Input device", "inputs")
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
        for name, box in (
            ("Input device", self.input),
            ("Dry channel", self.dry),
            ("Target channel", self.target_),
            ("Output channel", self.output),
        ):
            label = QLabel(name)
            label.setBuddy(box)
            label.setFixedWidth(LABEL_WIDTH)
            grid.addWidget(label, len(self._rows), 0)
            grid.addWidget(box, len(self._rows), 1)
            self._rows.append((label, box))
        self.input.chosen.connect(lambda spec: self.chosen.emit({"input_device": spec, "target_channel": None}))
        self.dry.activated.connect(lambda _: self._choose("dry_channel", self.dry, "target_channel"))
        self.target_.activated.connect(lambda _: self._choose("target_channel", self.target_, "dry_channel"))
        self.output.activated.connect(lambda _: self.chosen.emit({"output_channel": self.output.currentData()}))
        self._refill()

    def show_config(self, config: SessionConfig) -> None:
        """Show the routing of `config`; emits nothing."""
        self._config = config
        self._refill()

    def show_channels(self, channels: "ChannelCounts") -> None:
        """Offer the channels of the session; emits nothing."""
        if channels != self._channels:
            self._channels = channels
            self._refill()

    def _refill(self) -> None:
        config, counts = self._config, self._channels
        dry, target, output = (counts.dry, counts.target, counts.output) if counts else (0, 0, 0)
        if config.input in SYNTHETIC_INPUTS:  # the counts may still be those of the previous source
            dry = 0
        if config.target == "reference":
            target = 0
        has_mix = config.is_file and config.target != "channel"
        mix: list[Item] = [("mono mix", None)] if has_mix else []
        _set_channels(self.dry, [*mix, *_numbers(dry)], config.resolved_dry_channel)
        _set_channels(self.target_, _numbers(target), config.resolved_target_channel)
        _set_channels(self.output, [("1 and 2", None), *_numbers(output)], config.output_channel)
        self.input.show_device(config.input_device)
        choices = (
            config.target == "return",
            dry > 1 or config.dry_channel is not None,
            target > 1 or config.target_channel is not None,
            output > 1 or config.output_channel is not None,
        )
        for (label, box), is_choice in zip(self._rows, choices, strict=True):
            label.setVisible(is_choice)
            box.setVisible(is_choice)
        self.setVisible(any(choices))

    def _choose(self, name: str, box: ComboBox, other: str) -> None:
        """Emit `channel` for `name`; if it is that of the `other` signal, the two are swapped."""
        config, channel = self._config, box.currentData()
        current = {"dry_channel": config.resolved_dry_channel, "target_channel": config.resolved_target_channel}
        changes: dict[str, Any] = {name: channel}
        if config.target == "channel" and channel == current[other]:
            changes[other] = current[name]
        self.chosen.emit(changes)


def _set_channels(box: ComboBox, items: Sequence[Item], channel: int | None) -> None:
    """Offer `items` and select `channel`, added if it is missing; None selects the first item."""
    set_items(box, items)
    if channel is not None:
        select_data(box, channel, str(channel))


def _numbers(count: int) -> list[Item]:
    return [(str(channel), channel) for channel in range(1, count + 1)]
