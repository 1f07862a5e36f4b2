"""Routing of channels: mono or stereo, dry, target, and for "return" the input device and the output channels."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from gui.widgets.combo_box import ComboBox, labelled_combo_box, select_data, set_items
from gui.widgets.device_combo_box import DeviceComboBox
from rtgain.config.labels import CONTROL_LABELS, format_channels
from rtgain.config.names import CHANNEL_OPTIONS, SYNTHETIC_INPUTS
from rtgain.config.session_config import SessionConfig

if TYPE_CHECKING:
    from rtgain.records.snapshot import ChannelCounts

Channels = tuple[int, ...]

Item = tuple[str, str | None]
"""Text of an item, and its channels as text, because Qt does not keep tuples; None is the default."""

LABEL_WIDTH = 96
"""Width in pixels of the labels of the rows."""


class RoutingPanel(QWidget):
    """One row per choice; hidden if there are no choices."""

    chosen = Signal(dict)
    """The user changed these options: channels or the input device, by their names in `SessionConfig`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.input = DeviceComboBox("Input device", "inputs")
        self.channels, self.dry, self.target_, self.output = (
            labelled_combo_box(name) for name in ("Channels", "Dry channel", "Target channel", "Output channel")
        )
        self.channels.setToolTip("Mono or stereo, from the input to what is heard")
        self._rows: list[tuple[QLabel, ComboBox]] = []
        self._config = SessionConfig()
        self._counts: ChannelCounts | None = None
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        for name, box in (
            ("Input device", self.input),
            ("Channels", self.channels),
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
        self.channels.activated.connect(
            lambda _: self.chosen.emit({**CHANNEL_OPTIONS, "channels": self.channels.currentData()})
        )
        self.dry.activated.connect(lambda _: self._choose("dry_channel", self.dry, "target_channel"))
        self.target_.activated.connect(lambda _: self._choose("target_channel", self.target_, "dry_channel"))
        self.output.activated.connect(lambda _: self.chosen.emit({"output_channel": _selected(self.output)}))
        self._refill()

    def show_config(self, config: SessionConfig) -> None:
        """Show the routing of `config`; emits nothing."""
        self._config = config
        self._refill()

    def show_channels(self, counts: "ChannelCounts") -> None:
        """Offer the channels of the session; emits nothing."""
        if counts != self._counts:
            self._counts = counts
            self._refill()

    def _refill(self) -> None:
        config, counts, channels = self._config, self._counts, self._channels_of(self._config)
        dry, target, output = (counts.dry, counts.target, counts.output) if counts else (0, 0, 0)
        is_synthetic = config.input in SYNTHETIC_INPUTS
        if is_synthetic:  # the counts may still be those of the previous source
            dry = 0
        if config.target == "reference":
            target = 0
        _, format_count = CONTROL_LABELS["channels"]
        automatic = self._channels_of(config.model_copy(update=dict(CHANNEL_OPTIONS)))
        set_items(self.channels, [(f"Auto ({format_count(automatic)})", "auto"), ("Mono", 1), ("Stereo", 2)])
        select_data(self.channels, config.channels, "")
        has_mix = config.is_file and config.target != "channel" and channels == 1
        mix: list[Item] = [("mono mix", None)] if has_mix else []
        _set_channels(self.dry, [*mix, *_groups(dry, channels)], config.resolved_dry_channels(channels))
        _set_channels(self.target_, _groups(target, channels), config.resolved_target_channels(channels))
        default: Item = ("1 and 2" if channels == 1 else "1, 2", None)
        others = _groups(output, channels)[channels - 1 :]
        _set_channels(self.output, [default, *others], config.output_channel or ())
        self.input.show_device(config.input_device)
        signals = 2 if config.target == "channel" else 1
        choices = (
            config.target == "return",
            is_synthetic or dry >= 2 * signals or config.channels != "auto",
            not config.is_pair and (dry > channels or config.dry_channel is not None),
            not config.is_pair and (target > channels or config.target_channel is not None),
            output > channels or config.output_channel is not None,
        )
        for (label, box), is_choice in zip(self._rows, choices, strict=True):
            label.setVisible(is_choice)
            box.setVisible(is_choice)
        self.setVisible(any(choices))

    def _channels_of(self, config: SessionConfig) -> int:
        return config.resolved_channels(self._counts.dry if self._counts and config.is_file else 0)

    def _choose(self, name: str, box: ComboBox, other: str) -> None:
        """Emit the channels for `name`; if they are those of the `other` signal, the two are swapped."""
        config, selected, channels = self._config, _selected(box), self._channels_of(self._config)
        current = {
            "dry_channel": config.resolved_dry_channels(channels),
            "target_channel": config.resolved_target_channels(channels),
        }
        changes: dict[str, Any] = {name: selected}
        if config.target == "channel" and selected == current[other]:
            changes[other] = current[name]
        self.chosen.emit(changes)


def _set_channels(box: ComboBox, items: Sequence[Item], channels: Channels) -> None:
    """Offer `items` and select `channels`, added if they are missing; empty for the first item."""
    set_items(box, items)
    if channels:
        select_data(box, format_channels(channels), format_channels(channels))


def _selected(box: ComboBox) -> Channels | None:
    data = box.currentData()
    return None if data is None else tuple(map(int, data.split(", ")))


def _groups(count: int, channels: int) -> list[Item]:
    """Return the items for `count` channels: each of them, or in stereo each pair."""
    starts = range(1, count - channels + 2, channels)
    texts = [format_channels(tuple(range(start, start + channels))) for start in starts]
    return [(text, text) for text in texts]
