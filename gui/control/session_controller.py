"""Keeps the session running that the user wants; starts and stops it away from the window's thread."""

import logging
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import QObject, Signal

from rtgain.config.names import CHANNELS, Monitor
from rtgain.config.session_config import SessionConfig, with_changes
from rtgain.errors import DeviceError, DeviceLostError, InputError, RtgainError

if TYPE_CHECKING:
    from rtgain.output.session_export import SessionExport
    from rtgain.records.snapshot import Snapshot
    from rtgain.session.session import Session

SessionFactory = Callable[[SessionConfig], "Session"]
"""Makes a session, not yet started, on the clock that the config names or implies."""

ControllerState = Literal["stopped", "starting", "running", "waiting"]
"""While it is waiting, a device that was lost is to come back; a start ends it, and a stop."""

REFERENCE_OPTIONS = ("gain_db", "polarity", "phase_deg", "delay_ms", "noise_dbfs")
ESTIMATOR_OPTIONS = ("loss", "optimizer", "lr", "steps", "window_ms", "hop_ms", "align", "compare")
"""Options of a `SessionConfig` that can be changed while it runs."""

log = logging.getLogger(__name__)


def create_session(config: SessionConfig) -> "Session":
    """The session of the product; imported here, on the host's thread, because numba takes its time."""
    clock = config.resolved_clock(window=True)
    if clock == "offline":
        raise InputError("--clock offline: the window runs at real speed; use device or realtime, or --headless")
    from rtgain.session.session import Session

    return Session(config, clock=clock)


def with_input(config: SessionConfig, source: str, input_device: str | None = None) -> SessionConfig:
    """`config` on another source; a target that this source cannot have becomes the reference path."""
    changes = {"input": source, "input_device": input_device, "dry_channel": None, "target_channel": None}
    try:
        return with_changes(config, **changes)
    except InputError:
        return with_changes(config, **changes, target="reference", output_channel=None, clock=None)


def without_device(config: SessionConfig) -> SessionConfig:
    """What runs in place of `config` where no device does: real time, and the demo for a live input."""
    live = config.input == "mic" or config.target == "return"
    changes: dict[str, Any] = {"clock": "timer"}
    if live:
        changes |= {"target": "reference"} | dict.fromkeys(CHANNELS)
    if config.input == "mic":
        changes |= {"input": "demo"}
    return with_changes(config, **changes)


def reference_arguments(**options: Any) -> dict[str, Any]:
    """Options of a `SessionConfig` that concern the reference path, as `Session.set_reference` takes them."""
    arguments = dict(options)
    if "polarity" in options:
        arguments["polarity"] = -1 if options["polarity"] == "invert" else 1
    if options.get("noise_dbfs", 0.0) is None:
        arguments["noise_dbfs"] = -math.inf
    return arguments


@dataclass(frozen=True)
class _StartResult:
    """What a start came to, on its way from the host's thread to the window's."""

    wish: int
    session: "Session | None"
    config: SessionConfig
    problem: str | None


class SessionController(QObject):
    """Holds at most one session, and the config that the user wants it to have.

    Every method is for the window's thread and returns at once, but `close`, which waits for the end.
    """

    state_changed = Signal(str)
    """The new `ControllerState`."""

    fell_back = Signal(str)
    """A device failed and the session runs without one: the reason."""

    failed = Signal(str)
    """Nothing runs: the reason, in one line."""

    lost = Signal(list)
    """The session has lost its devices: specs to wait for, as in `Device.spec` of `gui.background.device_list`."""

    _arrived = Signal(object)

    def __init__(self, config: SessionConfig, factory: SessionFactory, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.config = config
        self.state: ControllerState = "stopped"
        self._factory = factory
        self._session: Session | None = None
        self._on_thread: Session | None = None
        self._last_report: SessionExport | None = None
        self._kept_gain_db = math.nan
        self._wish = 0
        self._closed = False
        self._thread = ThreadPoolExecutor(1, "session-host")
        self._arrived.connect(self._adopt_session)

    def start(self, monitor: Monitor) -> None:
        """Start a session on the present config, playing `monitor`, in place of one that may run.

        After a device was lost, it goes on from the last estimate.
        """
        self._wishes("starting", with_changes(self.config, monitor=monitor))

    def stop(self) -> None:
        """Stop; nothing happens when nothing runs."""
        self._kept_gain_db = math.nan
        if self.state != "stopped":
            self._wishes("stopped", None)

    def close(self) -> None:
        """Stop for good, and wait until sound and processes are gone. Nothing starts after that."""
        self._wishes("stopped", None)
        self._closed = True
        self._thread.shutdown(wait=True)

    def snapshot(self) -> "Snapshot | None":
        """What the running session says, or None; a session that fails to say it is stopped."""
        if self._session is None:
            return None
        try:
            return self._session.snapshot(scope=True)
        except DeviceLostError as error:
            self._wishes("waiting", None)
            if self._last_report is not None and self._last_report.summary.gain_db is not None:
                self._kept_gain_db = self._last_report.summary.gain_db
            self.lost.emit(list(error.devices))
            return None
        except RtgainError as error:
            self.stop()
            self.failed.emit(str(error))
            return None

    def report(self) -> "SessionExport | None":
        """What the session that runs, or ran last, has found; None where there was none."""
        return self._session.report(self.config) if self._session is not None else self._last_report

    def set_config(self, config: SessionConfig) -> None:
        """Another session for the next start."""
        self.config = config

    def set_options(self, **changes: Any) -> None:
        """Some other options for the next start. Raises `InputError`."""
        self.config = with_changes(self.config, **changes)

    def set_input(self, source: str, input_device: str | None = None) -> None:
        """Another source for the next start, all else kept."""
        self.config = with_input(self.config, source, input_device)

    def seek(self, time_s: float) -> None:
        """Go on elsewhere in the file."""
        if self._session is not None:
            self._session.seek(time_s)

    def set_estimator(self, **changes: Any) -> None:
        """Change what the estimator does, at once where a session runs: names, values and units are the config's.

        A new optimizer brings its own rate and steps. Raises `InputError`.
        """
        self.config = with_changes(self.config, **changes)
        if self._session is not None:
            self._session.set_estimator(**changes)

    def set_reference(self, **changes: Any) -> None:
        """Change the reference path, at once where a session runs: names, values and units are the config's.

        A gain set by hand ends an automation.
        """
        by_hand = {"automation": None} if "gain_db" in changes else {}
        self.config = with_changes(self.config, **changes, **by_hand)
        if self._session is not None:
            self._session.set_reference(**reference_arguments(**changes))

    def set_monitor(self, monitor: Monitor) -> None:
        """Change what is played, at once where a session runs."""
        if self._session is not None:
            self._session.set_monitor(monitor)

    def set_frozen(self, frozen: bool) -> None:
        """Hold the estimate, or let it go on."""
        if self._session is not None:
            self._session.set_frozen(frozen)

    def simulate_xrun(self) -> None:
        """Let an xrun be heard."""
        if self._session is not None:
            self._session.simulate_xrun()

    def reset_estimate(self) -> None:
        """Begin the estimate anew, from a gain of one."""
        if self._session is not None:
            self._session.reset_estimate()

    def _wishes(self, state: ControllerState, config: SessionConfig | None) -> None:
        if self._closed:  # a window that was closed before it was painted is painted, and starts, once more
            return
        self._wish += 1
        self._last_report = self.report()
        self._session = None
        self._thread.submit(self._replace, self._wish, config)
        self._enter(state)

    def _enter(self, state: ControllerState) -> None:
        self.state = state
        self.state_changed.emit(state)

    def _replace(self, wish: int, config: SessionConfig | None) -> None:
        """On the host's thread: stop what runs; start `config` unless the user wants something newer."""
        if self._on_thread is not None:
            self._on_thread.stop()
            self._on_thread = None
        if config is None or wish != self._wish:
            return
        problem = None
        try:
            try:
                self._on_thread = self._open(config)
            except DeviceError as error:
                problem, config = str(error), without_device(config)
                self._on_thread = self._open(config)
        except RtgainError as error:
            problem = str(error)
        except Exception as error:
            log.exception("The session did not start")
            problem = f"The session did not start: {type(error).__name__}: {error}"
        self._arrived.emit(_StartResult(wish, self._on_thread, config, problem))

    def _open(self, config: SessionConfig) -> "Session":
        session = self._factory(config)
        try:
            session.start()
        except BaseException:
            session.stop()
            raise
        return session

    def _adopt_session(self, arrival: _StartResult) -> None:
        if arrival.wish != self._wish:
            return
        if arrival.session is None:
            self._enter("stopped")
            self.failed.emit(arrival.problem)
            return
        self._session = arrival.session
        if math.isfinite(self._kept_gain_db):
            self._session.reset_estimate(self._kept_gain_db)
            self._kept_gain_db = math.nan
        self._apply_pending_changes(arrival.config)
        if arrival.problem is not None:
            runs = arrival.config.model_dump(include={"input", "target", *CHANNELS})
            self.config = with_changes(self.config, **runs)
            self.fell_back.emit(arrival.problem)
        self._enter("running")

    def _apply_pending_changes(self, started: SessionConfig) -> None:
        assert self._session is not None
        reference, estimator = (
            {name: getattr(self.config, name) for name in names if getattr(self.config, name) != getattr(started, name)}
            for names in (REFERENCE_OPTIONS, ESTIMATOR_OPTIONS)
        )
        if reference:
            self._session.set_reference(**reference_arguments(**reference))
        if estimator:
            self._session.set_estimator(**estimator)
