"""Starts, stops and changes the session that the user requests, in a thread next to the GUI thread."""

import logging
import math
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import QObject, Signal

from rtgain.config.names import CHANNEL_OPTIONS, LevelMatchMode, Monitor
from rtgain.config.session_config import SessionConfig, with_changes
from rtgain.errors import DeviceError, DeviceLostError, InputError, RtgainError
from rtgain.records.level_match import LevelDifference
from rtgain.records.reference_equalizer import reference_filters

if TYPE_CHECKING:
    from rtgain.records.recording_offset import RecordingOffset
    from rtgain.records.session_export import SessionExport
    from rtgain.records.snapshot import Snapshot
    from rtgain.session.io_setup import SessionSource
    from rtgain.session.session import Session

SessionFactory = Callable[[SessionConfig, "RecordingOffset | None"], "Session"]
"""Makes a session without starting it, on the clock of the config, with the offset of its second recording."""

ControllerState = Literal["stopped", "starting", "running", "reconnecting"]
"""In state "reconnecting", a lost device is expected to return; a start or a stop ends it."""

REFERENCE_OPTIONS = ("gain_db", "polarity", "phase_deg", "delay_ms", "noise_dbfs", "equalizer")
ESTIMATOR_OPTIONS = ("processor", "loss", "optimizer", "lr", "steps", "window_ms", "hop_ms", "align", "compare")
"""Options of a `SessionConfig` that can be changed while the session runs."""

log = logging.getLogger(__name__)


def create_session(config: SessionConfig, offset: "RecordingOffset | None") -> "Session":
    """Make a session for the GUI; `Session` is imported here, in the controller's thread, because numba loads slowly.

    Raises `InputError` for the offline clock.
    """
    clock = config.resolved_clock(headless=False)
    if clock == "offline":
        raise InputError("--clock offline: the window runs in real time; use device or timer, or --headless")
    from rtgain.session.session import Session

    return Session(config, clock=clock, offset=offset)


def with_input(config: SessionConfig, source: str, input_device: str | None = None) -> SessionConfig:
    """Return `config` with another source; a target that does not belong to it becomes the reference path."""
    outputs = {"output_channel": config.output_channel}
    changes = {"input": source, "input_device": input_device, "start": None, "end": None, **CHANNEL_OPTIONS, **outputs}
    if config.is_pair:  # the second recording belongs to the first one
        changes["target"] = "reference"
    try:
        return with_changes(config, **changes)
    except InputError:
        return with_changes(config, **(changes | {"target": "reference", "output_channel": None, "clock": None}))


def _unreadable_file(config: SessionConfig) -> str | None:
    """Return why a file of `config` cannot be read; None if it can, or does not exist."""
    if not config.is_file or not all(Path(name).is_file() for name in config.files):
        return None
    from rtgain.session.io_setup import read_file_format  # loads numba

    try:
        read_file_format(config)
    except InputError as error:
        return str(error)
    return None


PairKey = tuple[tuple[str, float], ...]
"""Names of two recordings, each with the time in s at which it was last written."""


def pair_key(config: SessionConfig) -> PairKey:
    """Return the key of the recordings of `config`: they are analyzed again after they have been written."""
    paths = [Path(name) for name in (config.input, config.target)]
    return tuple((str(path), path.stat().st_mtime if path.exists() else 0.0) for path in paths)


LevelDifferences = tuple[LevelDifference, tuple[LevelDifference, ...]]
"""Difference in level of a target, and those of the other targets of the session."""


@dataclass(frozen=True)
class _OpenedTarget:
    """Another target of a session, sent from the controller's thread to the GUI thread.

    It is opened at `offset`. `source` is None if only a new session can play it, or for an `error`.
    """

    request_id: int
    session: "Session"
    monitor: Monitor
    playing: str
    offset: "RecordingOffset"
    source: "SessionSource | None" = None
    error: str | None = None


@dataclass(frozen=True)
class _StartResult:
    """Result of a start, sent from the controller's thread to the GUI thread."""

    request_id: int
    session: "Session | None"
    config: SessionConfig
    error: str | None
    is_refused: bool = False
    """True if `session` and `config` are still those before the request."""


def _reference_parameters(config: SessionConfig, options: Iterable[str], session: "Session") -> dict[str, Any]:
    """Return the parameters of the reference path that `options` of `config` set in `session`."""
    parameters = config.reference_parameters()
    if "equalizer" in options:
        parameters["equalizer"] = reference_filters(config, session.sample_rate)
    return {name: parameters[name] for name in options}


class SessionController(QObject):
    """Owns at most one session, and the config for the next start.

    Call the methods in the GUI thread. They return at once, except `close`, which waits for the end.
    """

    state_changed = Signal(str)
    """The new `ControllerState`."""

    fell_back = Signal(str)
    """A device failed and the session runs without one: the reason."""

    failed = Signal(str)
    """No session runs: the reason, in one line."""

    refused = Signal(str)
    """A file cannot be read, and the session before continues: the reason, in one line."""

    aligning = Signal(float)
    """The offset of the second recording is searched for: the completed share, 0 to 1."""

    target_switched = Signal()
    """The session plays another target, without a restart."""

    device_lost = Signal(list)
    """The session lost these devices; see `Device.spec` of `gui.background.device_list`."""

    _start_finished = Signal(object)
    _target_opened = Signal(object)

    def __init__(self, config: SessionConfig, factory: SessionFactory, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.config = config
        self.state: ControllerState = "stopped"
        self._factory = factory
        self._session: Session | None = None
        self._session_in_thread: Session | None = None
        self._config_in_thread = config
        self._last_results: SessionExport | None = None
        self._resume_gain_db = math.nan
        self._request_id = 0
        self._seek_s: float | None = None
        self._resume_s: float | None = None
        self._offsets: dict[PairKey, RecordingOffset] = {}
        self._offsets_lock = threading.Lock()
        self.levels_of: Callable[[SessionConfig], LevelDifferences] = lambda config: (LevelDifference(), ())
        """Differences in level of the recordings of a session as far as they are known."""
        self._closed = False
        self._thread = ThreadPoolExecutor(1, "session-controller")
        self._start_finished.connect(self._adopt_session)
        self._target_opened.connect(self._play_target)

    def start(self, monitor: Monitor) -> None:
        """Start a session with the present config and `monitor`, instead of one that is running.

        After a device was lost, the estimator resumes from the last estimate.
        """
        self._request("starting", with_changes(self.config, monitor=monitor))

    def stop(self) -> None:
        """Stop the session; ignored if none is running."""
        self._resume_gain_db = math.nan
        if self.state != "stopped":
            self._request("stopped", None)

    def close(self) -> None:
        """Stop permanently, and wait until the session's threads and processes have ended."""
        self._request("stopped", None)
        self._closed = True
        self._thread.shutdown(wait=True)

    @property
    def session(self) -> "Session | None":
        """The running session."""
        return self._session

    @property
    def offset(self) -> "RecordingOffset | None":
        """Offset of the second recording of the config, if it is known."""
        return self.offset_of(self.config) if self.config.is_pair else None

    def offset_of(self, config: SessionConfig) -> "RecordingOffset | None":
        """Return the offset of the second recording of `config`, if it is known. Any thread may call it."""
        return self._offsets.get(pair_key(config))

    def keep_offset(self, config: SessionConfig, offset: "RecordingOffset") -> None:
        """Keep the offset of the second recording of `config`, so that it is not searched for again.

        One whose delay was followed over the whole stays: the analysis may find it during a search. Any thread may call
        it.
        """
        key = pair_key(config)
        with self._offsets_lock:
            known = self._offsets.get(key)
            if known is None or offset.is_followed or not known.is_followed:
                self._offsets[key] = offset

    def snapshot(self) -> "Snapshot | None":
        """Return a snapshot of the running session, or None; a session that raises an error is stopped."""
        if self._session is None:
            return None
        try:
            return self._session.snapshot(scope=True)
        except DeviceLostError as error:
            self._request("reconnecting", None)
            if self._last_results is not None and self._last_results.summary.gain_db is not None:
                self._resume_gain_db = self._last_results.summary.gain_db
            self.device_lost.emit(list(error.devices))
            return None
        except RtgainError as error:
            self.stop()
            self.failed.emit(str(error))
            return None

    def results(self) -> "SessionExport | None":
        """Return the results of the running or the last session; None before the first."""
        return self._session.export(self.config) if self._session is not None else self._last_results

    def set_config(self, config: SessionConfig) -> None:
        """Set the config for the next start."""
        self.config = config

    def set_options(self, **changes: Any) -> None:
        """Change options for the next start. Raises `InputError`."""
        self.config = with_changes(self.config, **changes)

    def set_input(self, source: str, input_device: str | None = None) -> None:
        """Set the source for the next start; all other options stay as far as the source allows."""
        self.config = with_input(self.config, source, input_device)

    def set_recordings(self, dry: str, targets: Sequence[str]) -> None:
        """Set a dry recording and its targets for the next start, which plays the first one. Raises `InputError`."""
        files = {"input": dry, "target": targets[0], "target_files": tuple(targets) if len(targets) > 1 else ()}
        changes = {**files, "start": None, "end": None, "automation": None, "eq": None, **CHANNEL_OPTIONS}
        self.config = with_changes(self.config, **changes)

    def set_estimator(self, **changes: Any) -> None:
        """Change estimator options, also of the running session; names, values and units are those of the config.

        A new `optimizer` resets `lr` and `steps` to its defaults. Raises `InputError`.
        """
        self.config = with_changes(self.config, **changes)
        self._if_running(lambda session: session.set_estimator(**changes))

    def set_reference(self, **changes: Any) -> None:
        """Change the reference path, also of the running session; names, values and units are those of the config.

        A change of the gain ends an automation, and one of the equalizer replaces its file. Raises `InputError` for
        filters that do not suit the sample rate; nothing is changed then.
        """
        replaced = {"gain_db": "automation", "equalizer": "eq"}
        others = {other: None for option, other in replaced.items() if option in changes}
        config = with_changes(self.config, **changes, **others)
        self._if_running(lambda session: session.set_reference(**_reference_parameters(config, changes, session)))
        self.config = config

    def set_monitor(self, monitor: Monitor) -> None:
        """Change the monitor of the running session."""
        self._if_running(lambda session: session.set_monitor(monitor))

    def set_level_match(self, mode: LevelMatchMode) -> None:
        """Change the level match, also of the running session."""
        self.config = with_changes(self.config, level_match=mode)
        self._if_running(lambda session: session.set_level_match(mode))

    def switch_target(self, config: SessionConfig, monitor: Monitor) -> None:
        """Play another target of the same dry recording from the present time on: `config` with that target.

        The session continues if the offset of the target is known. Otherwise it starts again, as with other channels.
        """
        self.config = config
        if self.state == "starting":
            self.start(monitor)
        elif self._session is not None:
            offset = self.offset
            if offset is None:
                self._restart_at_present_time(self._session, monitor)
                return
            self._request_id += 1
            self._thread.submit(self._open_target, self._request_id, self._session, config, offset, monitor)

    def update_levels(self) -> None:
        """Apply the differences in level of the recordings (`levels_of`) to the running session.

        A target that is about to be played brings its own.
        """
        session = self._session
        if session is not None and session.config.target == self.config.target:
            _set_levels(session, self.levels_of(self.config))

    def seek(self, time_s: float) -> None:
        """Continue at `time_s` of the source: now if it runs, else at the next start."""
        if self._session is None:
            self._seek_s = time_s
        else:
            self._session.seek(time_s)

    def keep_position(self) -> None:
        """Continue the next session at the present time of the running one, instead of at its start."""
        if self._session is not None:
            self._resume_s = self._session.present_s

    def set_frozen(self, frozen: bool) -> None:
        """Hold the estimate of the running session, or release it."""
        self._if_running(lambda session: session.set_frozen(frozen))

    def simulate_xrun(self) -> None:
        """Simulate an xrun in the running session."""
        self._if_running(lambda session: session.simulate_xrun())

    def reset_estimate(self) -> None:
        """Restart the estimate of the running session from a gain of 1."""
        self._if_running(lambda session: session.reset_estimate())

    def _restart_at_present_time(self, session: "Session", monitor: Monitor) -> None:
        self._resume_s = session.present_s
        self.start(monitor)

    def _open_target(
        self, request_id: int, session: "Session", config: SessionConfig, offset: "RecordingOffset", monitor: Monitor
    ) -> None:
        """In the controller's thread: open another target for the running session."""
        playing = self._config_in_thread.target
        try:
            source = session.open_target(config, offset)
        except InputError as error:
            self._target_opened.emit(_OpenedTarget(request_id, session, monitor, playing, offset, error=str(error)))
            return
        if source is not None:
            self._config_in_thread = config
        self._target_opened.emit(_OpenedTarget(request_id, session, monitor, playing, offset, source))

    def _play_target(self, opened: _OpenedTarget) -> None:
        if opened.request_id != self._request_id or opened.session is not self._session:  # there is a newer request
            if opened.source is not None and opened.source.source is not None:
                opened.source.source.close()
            return
        if opened.error is not None:
            if opened.playing in self.config.second_recordings:
                self.config = with_changes(self.config, target=opened.playing)
            self.refused.emit(opened.error)
            return
        if opened.source is None or self.offset is None:
            self._restart_at_present_time(opened.session, opened.monitor)
            return
        difference, others = self.levels_of(self.config)
        opened.session.play_target(
            self.config,
            opened.offset,
            opened.source,
            gain_db=difference.gain_db,
            loudness_lu=difference.loudness_lu,
            others=others,
        )
        self.target_switched.emit()

    def _if_running(self, command: Callable[["Session"], object]) -> None:
        if self._session is not None:
            command(self._session)

    def _request(self, state: ControllerState, config: SessionConfig | None) -> None:
        if self._closed:  # a window that is closed before its first paint is painted later, and would start
            return
        self._request_id += 1
        self._last_results = self.results()
        self._session = None
        levels = (LevelDifference(), ()) if config is None else self.levels_of(config)
        self._thread.submit(self._replace, self._request_id, config, levels)
        self._set_state(state)

    def _set_state(self, state: ControllerState) -> None:
        self.state = state
        self.state_changed.emit(state)

    def _replace(self, request_id: int, config: SessionConfig | None, levels: LevelDifferences) -> None:
        """In the controller's thread: stop the session, and start `config` unless there is a newer request.

        A session is not stopped for a file that cannot be read.
        """
        present = self._session_in_thread
        if config is not None and present is not None and (problem := _unreadable_file(config)) is not None:
            self._start_finished.emit(_StartResult(request_id, present, self._config_in_thread, problem, True))
            return
        if self._session_in_thread is not None:
            self._session_in_thread.stop()
            self._session_in_thread = None
        if config is None or request_id != self._request_id:
            return
        reason = None
        try:
            try:
                offset = self._search_offset(request_id, config) if config.is_pair else None
                if request_id != self._request_id:
                    return
                self._session_in_thread = self._open(config, offset, levels)
            except DeviceError as error:
                from rtgain.session.io_setup import without_device  # loads numba

                reason, config = str(error), without_device(config)
                self._session_in_thread = self._open(config, offset, levels)
        except RtgainError as error:
            reason = str(error)
        except Exception as error:
            log.exception("The session did not start")
            reason = f"The session did not start: {type(error).__name__}: {error}"
        self._config_in_thread = config
        self._start_finished.emit(_StartResult(request_id, self._session_in_thread, config, reason))

    def _search_offset(self, request_id: int, config: SessionConfig) -> "RecordingOffset | None":
        """Find the offset of the second recording, unless it is known; None if there is a newer request.

        The delay of long recordings is followed in their first part only: they are played before the rest is followed.
        """
        from rtgain.session.pair_offset import search_offset

        known = self.offset_of(config)
        if known is not None:
            return known
        with ThreadPoolExecutor(1, "import") as importing:  # numba loads while the files are read
            importing.submit(import_module, "rtgain.session.session")
            offset = search_offset(
                with_changes(config, align="on"),
                first_part=True,
                on_progress=self.aligning.emit,
                cancelled=lambda: request_id != self._request_id,
            )
        if offset is None:
            return None
        self.keep_offset(config, offset)
        return self.offset_of(config) or offset

    def _open(self, config: SessionConfig, offset: "RecordingOffset | None", levels: LevelDifferences) -> "Session":
        session = self._factory(config, offset)
        try:
            if config.is_pair:
                _set_levels(session, levels)
            session.start()
        except BaseException:
            session.stop()
            raise
        return session

    def _adopt_session(self, result: _StartResult) -> None:
        if result.request_id != self._request_id:
            return
        if result.session is None:
            self._set_state("stopped")
            self.failed.emit(result.error)
            return
        self._session = result.session
        if result.is_refused:
            live = (*REFERENCE_OPTIONS, *ESTIMATOR_OPTIONS, "level_match")
            self.config = with_changes(result.config, **{name: getattr(self.config, name) for name in live})
            self._seek_s = self._resume_s = None
            self._set_state("running")
            self.refused.emit(result.error)
            return
        if math.isfinite(self._resume_gain_db):
            self._session.reset_estimate(self._resume_gain_db)
            self._resume_gain_db = math.nan
        try:
            self._apply_pending_changes(result.session, result.config)
        except InputError as error:
            self.stop()
            self.failed.emit(str(error))
            return
        if self._resume_s is not None:
            self._seek_s = max(0.0, self._resume_s - result.session.start_s)
        if self._seek_s is not None and result.config.is_file:
            self._session.seek(self._seek_s)
        self._seek_s = self._resume_s = None
        if result.error is not None:
            running = result.config.model_dump(include={"input", "target", "target_files", *CHANNEL_OPTIONS})
            self.config = with_changes(self.config, **running)
            self.fell_back.emit(result.error)
        self._set_state("running")

    def _apply_pending_changes(self, session: "Session", started: SessionConfig) -> None:
        """Apply the options that the user changed while the session was starting with config `started`."""
        reference, estimator = (
            {name: getattr(self.config, name) for name in names if getattr(self.config, name) != getattr(started, name)}
            for names in (REFERENCE_OPTIONS, ESTIMATOR_OPTIONS)
        )
        if reference:
            session.set_reference(**_reference_parameters(self.config, reference, session))
        if estimator:
            session.set_estimator(**estimator)
        if self.config.level_match != started.level_match:
            session.set_level_match(self.config.level_match)


def _set_levels(session: "Session", levels: LevelDifferences) -> None:
    difference, others = levels
    session.set_level_differences(gain_db=difference.gain_db, loudness_lu=difference.loudness_lu, others=others)
