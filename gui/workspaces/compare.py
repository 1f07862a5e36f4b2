"""Workspace Compare: two recordings, their overview, what differs, and how they sound at one level."""

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gui.panels.differences_panel import DifferencesPanel
from gui.panels.level_meters import RECORDING_COLUMNS, LevelMeters
from gui.panels.overview_panel import OverviewPanel
from gui.panels.recording_slots import RecordingSlots
from gui.plots.gain_plot import GainPlot
from gui.plots.response_plot import ResponsePlot
from gui.plots.scope_plots import SpectrumPlot
from gui.theme import tabular
from gui.widgets.tool_button import make_tool_button
from rtgain.number_format import format_time_ms

if TYPE_CHECKING:
    from gui.plots.plot_card import PlotCard
    from gui.theme import Theme
    from rtgain.config.session_config import SessionConfig
    from rtgain.records.snapshot import Snapshot


PLOT_HEIGHT = 130
"""Lowest height of a plot in pixels at which its labels do not overlap."""


class CompareWorkspace(QWidget):
    """Panels of the workspace."""

    def __init__(self) -> None:
        super().__init__()
        self.slots = RecordingSlots()
        self.overview = OverviewPanel()
        self.section_start = make_tool_button("In", "Begin the section here (I)")
        self.section_end = make_tool_button("Out", "End the section here (O)")
        self.whole = make_tool_button("Whole", "Play the whole recording")
        self.section = QLabel()
        self.section.setProperty("look", "muted")
        self.section.setFont(tabular(self.section.font()))
        self.abx = make_tool_button("ABX test", "Find out whether you can tell both apart (B)")
        self.preference = make_tool_button("Preference test", "Find out which of both you prefer")
        self.differences = DifferencesPanel()
        self.response, self.spectrum = ResponsePlot(), SpectrumPlot()
        self.gain_plot = GainPlot(for_recordings=True)
        self.levels = LevelMeters(RECORDING_COLUMNS)
        self.plots: tuple[PlotCard, ...] = (self.response, self.spectrum, self.gain_plot)
        self._lay_out()

    def heightForWidth(self, width: int) -> int:
        """Return no height while another workspace is shown, which may be lower: the stack takes the highest."""
        return -1 if self.isHidden() else super().heightForWidth(width)

    def show_theme(self, theme: "Theme") -> None:
        """Set the colors of `theme` that the style sheet does not set."""
        for plot in self.plots:
            plot.show_theme(theme)
        self.levels.show_theme(theme)
        self.overview.show_theme(theme)
        self.slots.show_theme(theme)

    def show_config(self, config: "SessionConfig") -> None:
        """Show recordings and section of `config`."""
        self.slots.show_config(config)
        self.overview.show_section(config.start, config.end)
        for button in (self.section_start, self.section_end, self.whole):
            button.setEnabled(config.is_file)
        for button in (self.abx, self.preference):
            button.setEnabled(config.is_pair)
        self.whole.setEnabled(config.start is not None or config.end is not None)
        start = format_time_ms(config.start or 0.0)
        end = "end" if config.end is None else format_time_ms(config.end)
        is_whole = config.start is None and config.end is None
        self.section.setText("Whole recording" if is_whole else f"Section {start} – {end}")

    def show_plots(self, snapshot: "Snapshot") -> None:
        """Draw gain, response, spectrum, levels and position of `snapshot`."""
        self.gain_plot.show_history(snapshot.history, snapshot.time_s, (), reference_gain_db=snapshot.reference_gain_db)
        self.response.show_snapshot(snapshot)
        self.spectrum.show_snapshot(snapshot)
        self.levels.show_bars(snapshot)
        self.overview.show_position(snapshot.start_s + snapshot.position_s)

    def _lay_out(self) -> None:
        section = QHBoxLayout()
        section.setSpacing(8)
        for widget in (self.section_start, self.section_end, self.whole, self.section):
            section.addWidget(widget)
        section.addStretch(1)
        for widget in (self.abx, self.preference):
            section.addWidget(widget)
        grid = QGridLayout()
        grid.setSpacing(8)
        grid.addWidget(self.differences, 0, 0)
        grid.addWidget(self.levels, 1, 0)
        plots = QGridLayout()
        plots.setSpacing(8)
        plots.addWidget(self.response, 0, 0)
        plots.addWidget(self.spectrum, 0, 1)
        plots.addWidget(self.gain_plot, 1, 0, 1, 2)
        plots.setRowStretch(0, 1)
        plots.setRowStretch(1, 1)
        grid.addLayout(plots, 0, 1, 2, 1)
        grid.setRowStretch(0, 1)
        grid.setColumnStretch(0, 2)
        grid.setColumnStretch(1, 3)
        self.differences.setMinimumSize(240, 110)
        for plot in self.plots:  # a small screen scrolls
            plot.setMinimumHeight(PLOT_HEIGHT)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.slots)
        column.addWidget(self.overview)
        column.addLayout(section)
        column.addLayout(grid, 1)
