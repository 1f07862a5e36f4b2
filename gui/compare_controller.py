"""Handlers of the workspace Compare: recordings, section, position, level match and the analysis of both files."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from gui.actions import SessionActions
from gui.background.pair_analysis import PairAnalysis
from gui.control.session_controller import SessionController
from gui.file_actions import FileActions
from gui.state_texts import as_sentence
from gui.workspaces.compare import CompareWorkspace
from rtgain.records.level_match import LevelMatch

if TYPE_CHECKING:
    from rtgain.match.comparison_export import Comparison
    from rtgain.records.snapshot import Snapshot
    from rtgain.session.overview import Overview
    from rtgain.session.pair_loudness import PairLoudness


class CompareController(QObject):
    """Connects the workspace with the session, and the analysis of its recordings with both."""

    def __init__(
        self,
        parent: QObject,
        controller: SessionController,
        session_actions: SessionActions,
        file_actions: FileActions,
        workspace: CompareWorkspace,
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._session_actions = session_actions
        self._workspace = workspace
        self._gain_db = math.nan
        self._loudness: PairLoudness | None = None
        self._overviews: tuple[Overview, Overview] | None = None
        self._snapshot: Snapshot | None = None
        self._is_match_due = False
        self._is_level_held = False
        self._differences = math.nan, math.nan
        self.match: dict[str, Any] | None = None
        """Object of ``rtgain match --json`` about the section; None until both recordings are compared."""
        self.analysis = PairAnalysis(self)
        self.analysis.overviews_read.connect(self._show_overviews)
        self.analysis.loudness_measured.connect(self._show_loudness)
        self.analysis.matched.connect(self._show_match)
        self.analysis.failed.connect(lambda reason: workspace.differences.show_failure(as_sentence(reason)))
        controller.state_changed.connect(self._handle_state)
        session_actions.config_changed.connect(self._handle_config)
        workspace.slots.open_requested.connect(file_actions.open_slot)
        workspace.slots.swap_requested.connect(self.swap)
        workspace.overview.position_chosen.connect(self.seek)
        workspace.overview.section_chosen.connect(session_actions.choose_section)
        workspace.section_start.clicked.connect(self.begin_section)
        workspace.section_end.clicked.connect(self.end_section)
        workspace.whole.clicked.connect(self.select_whole)

    def close(self) -> None:
        """End the analysis."""
        self.analysis.close()

    @property
    def loudness(self) -> "PairLoudness | None":
        """Loudness of both recordings over the section; None until it is measured."""
        return self._loudness

    def comparison(self, tests: Sequence[str]) -> "Comparison | None":
        """Return what an export of the comparison needs, with results of listening `tests`; None if it is missing."""
        offset = self._controller.offset
        if offset is None or self._overviews is None or self._loudness is None:
            return None
        from rtgain.match.comparison_export import Comparison  # loads numba, which the analysis has loaded

        level_match = LevelMatch(self._controller.config.level_match, self._gain_db, self._loudness.difference_lu)
        config = self._controller.config
        return Comparison(config, offset, self._overviews, self._loudness, level_match, self.match, tests)

    def swap(self) -> None:
        """Exchange dry and target."""
        config = self._controller.config
        self._session_actions.choose_pair(config.target, config.input)

    def seek(self, time_s: float) -> None:
        """Continue at `time_s` of the dry recording; outside of the section, with the whole recording."""
        config, snapshot = self._controller.config, self._snapshot
        if snapshot is not None and snapshot.length_s is not None:
            position_s = time_s - snapshot.start_s
            if 0.0 <= position_s <= snapshot.length_s:
                self._controller.seek(position_s)
                return
        if config.start is not None or config.end is not None:
            self.select_whole()
        offset = self._controller.offset
        self._controller.seek(max(time_s - max(0.0, -offset.delay_s), 0.0) if offset is not None else time_s)

    def begin_section(self) -> None:
        """Begin the section at the present position."""
        time_s, end_s = self._time_s, self._controller.config.end
        if time_s is not None:
            self._session_actions.choose_section(time_s, end_s if end_s is not None and end_s > time_s else None)

    def end_section(self) -> None:
        """End the section at the present position."""
        time_s, start_s = self._time_s, self._controller.config.start
        if time_s:
            is_before = start_s is not None and start_s < time_s
            self._session_actions.choose_section(start_s if is_before else None, time_s)

    def select_whole(self) -> None:
        """Play the whole recording."""
        self._session_actions.choose_section(None, None)

    def show_snapshot(self, snapshot: "Snapshot") -> None:
        """Show the numbers of `snapshot`."""
        self._snapshot = snapshot
        if self._is_match_due and snapshot.state != "waiting":
            self._is_match_due = False
            self.analysis.match(self._controller.config)
        if self._controller.config.is_pair:
            self._workspace.differences.show_snapshot(snapshot)

    @property
    def _time_s(self) -> float | None:
        """Present time in the dry recording in seconds, to the millisecond; None without a file."""
        snapshot = self._snapshot
        if snapshot is None or not self._controller.config.is_file:
            return None
        return round(snapshot.start_s + snapshot.position_s, 3)

    def _handle_config(self) -> None:
        if not self._controller.config.is_pair:
            self._clear()

    def _handle_state(self, state: str) -> None:
        config, offset = self._controller.config, self._controller.offset
        if state == "starting":
            self._snapshot = None
        if state != "running" or offset is None:
            return
        if self.analysis.covers(config):
            self._apply_differences()
            return
        if not self.analysis.has_files_of(config):
            self._clear()
        self._gain_db, self._loudness, self.match = math.nan, None, None
        self._workspace.slots.show_loudness(None)
        self._workspace.response.show_response(None)
        self._workspace.differences.show_analyzing()
        self.analysis.analyze(config, offset)
        self._is_match_due = True

    def _clear(self) -> None:
        self.analysis.reset()
        self._is_match_due = False
        self._overviews = None
        self._gain_db, self._loudness, self.match = math.nan, None, None
        self._workspace.slots.show_overviews(None)
        self._workspace.slots.show_loudness(None)
        self._workspace.overview.show_overviews(None)
        self._workspace.response.show_response(None)
        self._workspace.differences.clear()

    def _show_overviews(self, overviews: "tuple[Overview, Overview]") -> None:
        offset = self._controller.offset
        self._overviews = overviews
        self._workspace.slots.show_overviews(overviews)
        self._workspace.overview.show_overviews(overviews, offset.delay_s if offset is not None else 0.0)

    def _show_loudness(self, loudness: "PairLoudness") -> None:
        self._loudness = loudness
        self._workspace.slots.show_loudness((loudness.dry, loudness.target))
        self._apply_differences()

    def _show_match(self, result: dict[str, Any]) -> None:
        self.match = result
        self._gain_db = math.nan if result["gain_db"] is None else result["gain_db"]
        self._workspace.differences.show_match(result)
        self._workspace.response.show_response(result.get("response"))
        self._apply_differences()

    def hold_level(self, on: bool) -> None:
        """Keep the level match as it is, during a blind test, or follow the analysis again."""
        self._is_level_held = on
        self._apply_differences()

    def _apply_differences(self) -> None:
        if not self._is_level_held:
            loudness_lu = math.nan if self._loudness is None else self._loudness.difference_lu
            self._differences = self._gain_db, loudness_lu
        gain_db, loudness_lu = self._differences
        self._controller.set_level_differences(gain_db=gain_db, loudness_lu=loudness_lu)
