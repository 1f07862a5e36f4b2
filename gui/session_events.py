"""Handlers of events of the session: end, failure, fallback without a device, lost and returning devices."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from gui.actions import SessionActions
from gui.background.device_list import Device, DeviceList
from gui.control.session_controller import SessionController
from gui.panels.notices import NoticeStack
from gui.state_texts import as_sentence, problem_only
from gui.widgets.device_combo_box import SYSTEM_DEFAULT
from rtgain.records.snapshot import CLOCK_NOTICE

if TYPE_CHECKING:
    from rtgain.records.snapshot import Snapshot

LISTING_DELAY_S = 10.0
"""Time of a session in seconds after which devices are listed without an estimate. The command that lists them would
delay the first one."""

RECONNECT_INTERVAL_MS = 1000
"""Interval at which devices are listed while a lost one is expected to return."""

CLOCK_RIGHT_S = 3.0
"""Time in seconds for which the clock must have been right before the notice about it is removed."""

NOTICE_LINES = 3
"""Number of the session's newest notices that are shown together."""

NO_DEVICE_TEXT = "Running silently at normal speed."
LOADING_TEXT = "Starting the audio… The first time, this takes up to a minute."

log = logging.getLogger(__name__)


class SessionEvents(QObject):
    """Shows a notice for each event of the session, and restarts the session when its lost devices return."""

    devices_listed = Signal(list)
    """The present devices, as `Device`."""

    def __init__(
        self,
        parent: QObject,
        controller: SessionController,
        notices: NoticeStack,
        session_actions: SessionActions,
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._notices = notices
        self._session_actions = session_actions
        self.device_list = DeviceList(self)
        self._lost_devices: list[str] = []
        self._is_listing_due = False
        self._wrong_clock_s = 0.0
        self._reconnect_timer = QTimer(self, interval=RECONNECT_INTERVAL_MS)
        self._reconnect_timer.timeout.connect(lambda: self.device_list.refresh())
        self.device_list.listed.connect(self._handle_devices)
        controller.state_changed.connect(self._handle_state)
        controller.fell_back.connect(self._handle_fallback)
        controller.failed.connect(self._handle_failure)
        controller.refused.connect(self._handle_refusal)
        controller.device_lost.connect(self._handle_lost_devices)
        controller.aligning.connect(self._show_alignment)

    def close(self) -> None:
        """Stop listing devices."""
        self.device_list.close()

    def handle_snapshot(self, snapshot: "Snapshot") -> None:
        """Show the notices of `snapshot`, list devices after its first estimate, and stop a session that has ended."""
        if self._is_listing_due and (snapshot.state != "waiting" or snapshot.time_s >= LISTING_DELAY_S):
            self._is_listing_due = False
            self.device_list.refresh()
        for notice in snapshot.notices:
            log.warning("%s", notice)
        about_clock = [notice for notice in snapshot.notices if notice.startswith(CLOCK_NOTICE)]
        others = [notice for notice in snapshot.notices if notice not in about_clock]
        if others:
            present = self._notices.notice("session")
            earlier = [] if present is None else present.text.text().splitlines()
            self._notices.show_notice("session", "\n".join([*earlier, *others][-NOTICE_LINES:]))
        if about_clock:
            self._notices.show_notice("clock", about_clock[-1])
        if about_clock or snapshot.clock_rate_is_wrong:
            self._wrong_clock_s = snapshot.time_s
        elif snapshot.time_s - self._wrong_clock_s > CLOCK_RIGHT_S:
            self._notices.dismiss("clock")
        if has_ended(snapshot):
            self._controller.stop()
            start = self._session_actions.start
            if snapshot.is_finished:
                self._notices.show_notice("end", "Playback finished.", "Play again", start, is_warning=False)
            elif self._notices.notice("session") is None:
                self._notices.show_notice("end", "The session stopped unexpectedly.", "Start again", start)

    def _handle_state(self, state: str) -> None:
        log.info("%s: %s", state, self._controller.config.model_dump_json(exclude_defaults=True))
        self._reconnect_timer.stop()
        if state != "starting":
            self._notices.dismiss("align")
        if state == "reconnecting":
            self._reconnect_timer.start()
        self._is_listing_due = state == "running"

    def _show_alignment(self, share: float) -> None:
        if self._controller.state != "starting":  # sent before the search was cancelled
            return
        name = Path(self._controller.config.target).name
        percent = round(100 * share)
        text = f"Finding where {name} begins… {percent} %" if percent < 100 else LOADING_TEXT
        self._notices.show_progress("align", text, self._controller.stop)

    def _handle_fallback(self, reason: str) -> None:
        log.warning("Running without a device: %s", reason)
        self._session_actions.request_monitor_confirmation()
        self._session_actions.apply_monitor()
        text = f"{problem_only(reason)} {NO_DEVICE_TEXT}"
        self._notices.show_notice("device", text, "Try again", self._session_actions.start)

    def _handle_failure(self, reason: str) -> None:
        log.error("%s", reason)
        self._notices.show_notice("session", as_sentence(reason), "Start again", self._session_actions.start)

    def _handle_refusal(self, reason: str) -> None:
        self._session_actions.config_changed.emit()
        self._notices.show_error(reason)

    def _handle_lost_devices(self, devices: list[str]) -> None:
        self._lost_devices = devices
        names = " and ".join(dict.fromkeys(devices))
        text = f"{names} disconnected (device unplugged or audio server stopped). Waiting for it to return…"
        log.warning("%s", text)
        self._notices.show_notice("device", text, f"Use {SYSTEM_DEFAULT}", self._session_actions.choose_system_devices)

    def _handle_devices(self, devices: list[Device]) -> None:
        self.devices_listed.emit(devices)
        present = {device.spec for device in devices}
        if self._controller.state == "reconnecting" and set(self._lost_devices) <= present:
            self._session_actions.start()


def has_ended(snapshot: "Snapshot") -> bool:
    """True if the source has ended or the session has stopped."""
    return snapshot.is_finished or not snapshot.running
