"""View of the Laboratory on equalizers: response with points, reference filters and learned filters as numbers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from gui.panels.learned_equalizer_panel import LearnedEqualizerPanel
from gui.panels.reference_equalizer_panel import ReferenceEqualizerPanel
from gui.plots.equalizer_plot import EqualizerPlot
from gui.plots.loss_map_plot import LossMapPlot
from rtgain.config.reference_equalizer import FLAT_EQUALIZER
from rtgain.errors import InputError
from rtgain.records.reference_equalizer import reference_equalizer

if TYPE_CHECKING:
    from rtgain.config.session_config import SessionConfig
    from rtgain.records.snapshot import Snapshot


class EqualizerView(QObject):
    """Widgets `plots`, to be laid out above the readout, and `numbers` below it."""

    reference_changed = Signal(dict)
    """The user changed these options of the reference path."""

    def __init__(self) -> None:
        super().__init__()
        self.response = EqualizerPlot()
        self.loss_map = LossMapPlot()
        self.reference = ReferenceEqualizerPanel()
        self.learned = LearnedEqualizerPanel()
        self.cards = (self.response, self.loss_map)
        self.plots, self.numbers = QWidget(), QWidget()
        self._gain_db = 0.0
        self._has_reference = True
        self._is_learning = False
        _lay_out_row(self.plots, {self.response: 5, self.loss_map: 3})
        _lay_out_row(self.numbers, {self.reference: 1, self.learned: 1})
        self.numbers.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.reference.changed.connect(self._show_reference)
        self.reference.changed.connect(self.reference_changed)
        self.response.moved.connect(self.reference.move_filter)
        self.response.wheel_moved.connect(self.reference.scale_q)
        self.response.gain_reset.connect(self.reference.reset_gain)

    def set_visible(self, visible: bool) -> None:
        """Show or hide all widgets."""
        self.plots.setVisible(visible)
        self.numbers.setVisible(visible)

    def close(self) -> None:
        """End the thread of the loss map."""
        self.loss_map.close_worker()

    def show_config(self, config: "SessionConfig") -> None:
        """Show the equalizer of the reference path; disabled if the target does not come from there."""
        try:
            equalizer = reference_equalizer(config)
        except InputError:  # shown when the session starts
            equalizer = FLAT_EQUALIZER
        self._has_reference = config.target == "reference"
        self._is_learning = config.processor == "eq"
        self._gain_db = config.gain_db
        self.reference.show_equalizer(equalizer, enabled=self._has_reference)
        self._show_reference()

    def show_plots(self, snapshot: "Snapshot") -> None:
        """Draw the plots of `snapshot`."""
        self.response.show_snapshot(snapshot)
        self.loss_map.show_snapshot(snapshot)

    def show_numbers(self, snapshot: "Snapshot") -> None:
        """Show the learned settings of `snapshot` as numbers."""
        self.learned.show_snapshot(snapshot, is_on=self._is_learning)

    def _show_reference(self) -> None:
        equalizer = self.reference.equalizer
        gain_db = self._gain_db + equalizer.gain_db
        self.response.show_equalizer(equalizer if self._has_reference else None, gain_db)


def _lay_out_row(widget: QWidget, parts: Mapping[QWidget, int]) -> None:
    """Lay out widgets, each with its stretch, in a row."""
    row = QHBoxLayout(widget)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(8)
    for part, stretch in parts.items():
        row.addWidget(part, stretch)
