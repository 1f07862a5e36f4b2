"""Handlers of the workspace Compare: recordings, section, position, level match and the analysis of all targets."""

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from gui.actions import SessionActions
from gui.background.pair_analysis import PairAnalysis, PairResults
from gui.control.session_controller import LevelDifferences, SessionController
from gui.file_actions import FileActions
from gui.panels.recording_slots import TARGET_SLOTS
from gui.state_texts import as_sentence
from gui.workspaces.compare import CompareWorkspace
from rtgain.config.session_config import SessionConfig, with_changes
from rtgain.records.level_match import LevelMatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtgain.match.comparison_export import Comparison
    from rtgain.records.recording_offset import RecordingOffset
    from rtgain.records.snapshot import Snapshot
    from rtgain.session.overview import Overview

MATCH_DELAY_S = 10.0
"""Time of a session in seconds after which the match begins without an estimate: the estimator may have failed."""


class CompareController(QObject):
    """Connects the workspace with the session, and the analysis of its recordings with both.

    All targets of a session are analyzed, the one that is played first. The results are kept, so that another target
    is played at once, and at its level.
    """

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
        self._snapshot: Snapshot | None = None
        self._is_match_due = False
        self._held: LevelDifferences | None = None
        self._shown_overviews: tuple[object, float] = None, 0.0
        self._shown_response: object = None
        self.analysis = PairAnalysis(self, controller.offset_of)
        self.analysis.offset_found.connect(self._keep_offset)
        self.analysis.changed.connect(self._show_results)
        controller.levels_of = self._levels_of
        controller.state_changed.connect(self._handle_state)
        controller.target_switched.connect(self._handle_switched_target)
        session_actions.config_changed.connect(self._handle_config)
        workspace.slots.open_requested.connect(file_actions.open_slot)
        workspace.slots.swap_requested.connect(self.swap)
        workspace.slots.target_chosen.connect(self._choose_target)
        workspace.slots.remove_requested.connect(self.remove_target)
        workspace.overview.position_chosen.connect(self.seek)
        workspace.overview.section_chosen.connect(session_actions.choose_section)
        workspace.section_start.clicked.connect(self.begin_section)
        workspace.section_end.clicked.connect(self.end_section)
        workspace.whole.clicked.connect(self.select_whole)

    def close(self) -> None:
        """End the analysis."""
        self.analysis.close()

    @property
    def results(self) -> PairResults:
        """Results about the dry recording and the target that is played."""
        return self.analysis.results(self._controller.config)

    @property
    def match(self) -> dict[str, Any] | None:
        """Object of ``rtgain match --json`` about the section; None until both recordings are compared."""
        return self.results.match

    def comparison(self, tests: "Sequence[tuple[str, str]]") -> "Comparison | None":
        """Return what an export of the target that is played needs; None if it is missing.

        `tests` are results of listening tests: the target and the JSON of each.
        """
        config, offset, results = self._controller.config, self._controller.offset, self.results
        if offset is None or results.overviews is None or results.loudness is None:
            return None
        from rtgain.match.comparison_export import Comparison  # loads numba, which the analysis has loaded

        of_target = [result for target, result in tests if target == config.target]
        return Comparison(
            config,
            offset,
            results.overviews,
            results.loudness,
            self._level_match(config),
            results.match,
            of_target,
        )

    def swap(self) -> None:
        """Exchange dry and target."""
        config = self._controller.config
        others = [target for target in config.second_recordings if target not in (config.target, config.input)]
        self._session_actions.choose_recordings(config.target, [config.input, *others])

    def remove_target(self, index: int) -> None:
        """Remove the target in the slot of this index, from 0; if it is played, play the next one."""
        config = self._controller.config
        targets = list(config.second_recordings)
        removed = targets.pop(index)
        played = targets[min(index, len(targets) - 1)] if removed == config.target else config.target
        self._session_actions.change_targets(targets, played)

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

    def hold_level(self, on: bool) -> None:
        """Keep level match and delay as they are, during a blind test, or follow the analysis again."""
        self._held = self._levels_of(self._controller.config) if on else None
        self._controller.update_levels()
        self._play_at_known_offset()

    def show_snapshot(self, snapshot: "Snapshot") -> None:
        """Show the numbers of `snapshot`."""
        self._snapshot = snapshot
        if snapshot.state != "waiting" or snapshot.time_s >= MATCH_DELAY_S:
            self._start_matching()
        if self._controller.config.is_pair:
            self._workspace.differences.show_snapshot(snapshot)

    @property
    def _time_s(self) -> float | None:
        """Present time in the dry recording in seconds, to the millisecond; None without a file."""
        snapshot = self._snapshot
        if snapshot is None or not self._controller.config.is_file:
            return None
        return round(snapshot.start_s + snapshot.position_s, 3)

    def _choose_target(self, index: int) -> None:
        self._session_actions.choose_target_at(index)
        self._workspace.slots.show_config(self._controller.config)  # the button of the played target stays checked

    def _handle_config(self) -> None:
        """Analyze targets that were added, or discard what was known about recordings that are closed."""
        if not self._controller.config.is_pair:
            self.analysis.cover([])
        elif self._controller.state == "running":
            self._analyze()
        self._show_results()

    def _handle_state(self, state: str) -> None:
        if state == "starting":
            self._snapshot = None
            self._is_match_due = False
            if self._controller.config.is_pair and self.results.match is None:
                self._workspace.differences.show_analyzing()
            self.analysis.pause_matching()
        elif state == "running" and self._controller.offset is not None:
            self._is_match_due = True
            self._play_at_known_offset()
            self._analyze()
            self._show_results()
        else:  # it may have ended before its first estimate
            self._start_matching()

    def _handle_switched_target(self) -> None:
        self._show_results()
        self._play_at_known_offset()

    def _keep_offset(self, config: SessionConfig, offset: "RecordingOffset") -> None:
        self._controller.keep_offset(config, offset)
        self._play_at_known_offset()

    def _play_at_known_offset(self) -> None:
        """Play the target along the delay that is known now, if its session began with another one.

        Not during a blind test: the change would show that the target is played.
        """
        session, offset = self._controller.session, self._controller.offset
        if self._held is not None or session is None or offset is None or session.offset is None:
            return
        is_played = session.config.target == self._controller.config.target
        if is_played and (session.offset.curve, session.offset.is_stretched) != (offset.curve, offset.is_stretched):
            self._session_actions.replay_target()

    def _start_matching(self) -> None:
        if self._is_match_due:
            self._is_match_due = False
            self.analysis.start_matching()

    def _analyze(self) -> None:
        """Analyze all targets, the one that is played first."""
        config = self._controller.config
        targets = sorted(config.second_recordings, key=lambda target: target != config.target)
        self.analysis.cover([with_changes(config, target=target) for target in targets])

    def _levels_of(self, config: SessionConfig) -> LevelDifferences:
        if self._held is not None:
            return self._held
        differences = {
            target: self.analysis.results(with_changes(config, target=target)).difference
            for target in config.second_recordings
        }
        others = tuple(difference for target, difference in differences.items() if target != config.target)
        return self.analysis.results(config).difference, others

    def _level_match(self, config: SessionConfig) -> LevelMatch:
        difference, others = self._levels_of(config)
        return LevelMatch(config.level_match, difference.gain_db, difference.loudness_lu, others)

    def _show_results(self) -> None:
        """Show what is known about all recordings, and play at their level."""
        config, workspace, results = self._controller.config, self._workspace, self.results
        is_pair = config.is_pair
        if not is_pair:
            results = PairResults()
        self._show_slots(config, results)
        self._show_overviews(results.overviews)
        response = None if results.match is None else results.match.get("response")
        if response is not self._shown_response:
            self._shown_response = response
            workspace.response.show_response(response)
        if not is_pair:
            workspace.differences.clear()
        elif results.match is not None:
            workspace.differences.show_match(results.match)
        elif results.failure:
            workspace.differences.show_failure(as_sentence(results.failure))
        else:
            workspace.differences.show_analyzing()
        if is_pair:
            self._controller.update_levels()
            if self._controller.session is None:
                workspace.differences.show_level(self._level_match(config))

    def _show_slots(self, config: SessionConfig, played: PairResults) -> None:
        slots = self._workspace.slots
        dry_overview = None if played.overviews is None else played.overviews[0]
        slots.show_results("dry", dry_overview, None if played.loudness is None else played.loudness.dry)
        for slot, target in zip(TARGET_SLOTS, config.second_recordings or ("",), strict=False):
            results = self.analysis.results(with_changes(config, target=target)) if target else PairResults()
            overview = None if results.overviews is None else results.overviews[1]
            slots.show_results(slot, overview, None if results.loudness is None else results.loudness.target)

    def _show_overviews(self, overviews: "tuple[Overview, Overview] | None") -> None:
        offset = self._controller.offset
        delay_s = offset.delay_s if offset is not None else 0.0
        if overviews is not self._shown_overviews[0] or delay_s != self._shown_overviews[1]:
            self._shown_overviews = overviews, delay_s
            self._workspace.overview.show_overviews(overviews, delay_s)
