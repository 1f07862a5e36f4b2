"""Notices to the user: a text, with an optional button, over the lower right corner of the window."""

import logging
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from gui.state_texts import as_sentence

MARGIN, BOTTOM_MARGIN = 8, 30
"""Space in pixels at the sides and below: the status strip stays visible."""

MAX_WIDTH = 600
"""Largest width in pixels: the meters of Compare stay visible in a window of 1024 pixels."""

INFORMATION_S = 15.0
"""Time in seconds after which a notice that is not a warning goes away."""

WARNING_MARK = "\N{WARNING SIGN}\N{VARIATION SELECTOR-15}"

log = logging.getLogger(__name__)


class Notice(QFrame):
    """One text, an optional button, and a button that closes the notice."""

    expired = Signal()
    """The time of `expire_after` is over, and neither mouse nor focus are in the notice."""

    def __init__(
        self, text: str, button: str | None, on_click: Callable[[], object] | None, *, is_warning: bool
    ) -> None:
        super().__init__()
        self.is_progress = False
        self.setProperty("look", "notice" if is_warning else "card")
        self.text = QLabel(text)
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 6, 6)
        row.setSpacing(10)
        if is_warning:
            row.addWidget(QLabel(WARNING_MARK))
        row.addWidget(self.text, 1)
        if button is not None and on_click is not None:
            self.button = QPushButton(button)
            self.button.clicked.connect(on_click)
            row.addWidget(self.button)
        self.close_button = QPushButton("\N{MULTIPLICATION SIGN}")
        self.close_button.setProperty("look", "plain")
        self.close_button.setAccessibleName("Close this notice")
        row.addWidget(self.close_button)
        self._expiry = QTimer(self)
        self._expiry.timeout.connect(self._expire)

    def expire_after(self, duration_s: float) -> None:
        """Emit `expired` after `duration_s` seconds; later while the user is at the notice."""
        self._expiry.start(round(1000 * duration_s))

    def _expire(self) -> None:
        focused = QApplication.focusWidget()
        if not self.underMouse() and not (focused is not None and self.isAncestorOf(focused)):
            self.expired.emit()


class NoticeStack(QWidget):
    """The present notices, at most one per subject. They lie over `area` and move none of its widgets."""

    def __init__(self, area: QWidget) -> None:
        super().__init__(area)
        self._area = area
        area.installEventFilter(self)
        self._notices: dict[str, Notice] = {}
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(6)
        self.hide()

    def show_notice(
        self,
        subject: str,
        text: str,
        button: str | None = None,
        on_click: Callable[[], object] | None = None,
        *,
        is_warning: bool = True,
    ) -> None:
        """Show `text` instead of the present notice about `subject`.

        A warning stays until it is closed or dismissed, other information for `INFORMATION_S`.
        """
        present = self._notices.get(subject)
        if present is not None and present.text.text() == text:
            return
        notice = self._add(subject, Notice(text, button, on_click, is_warning=is_warning))
        if not is_warning:
            notice.expired.connect(lambda: self.dismiss(subject))
            notice.expire_after(INFORMATION_S)

    def show_progress(self, subject: str, text: str, on_cancel: Callable[[], object]) -> None:
        """Show the progress of `subject` until it is dismissed; its present progress gets the new text in place."""
        present = self._notices.get(subject)
        if present is not None and present.is_progress:
            present.text.setText(text)
            self._lay_over()
        else:
            self._add(subject, Notice(text, "Cancel", on_cancel, is_warning=False)).is_progress = True

    def _add(self, subject: str, notice: Notice) -> Notice:
        self.dismiss(subject)
        text = notice.text.text()
        notice.setAccessibleName(text)
        notice.close_button.clicked.connect(lambda: self.dismiss(subject))
        self._notices[subject] = notice
        self._rows.addWidget(notice)
        notice.show()  # otherwise it is shown after the geometry is computed
        self.show()
        self._lay_over()
        return notice

    def show_error(self, line: str) -> None:
        """Log the line of an error, and show it as a sentence about the session."""
        log.warning("%s", line)
        self.show_notice("session", as_sentence(line))

    def dismiss(self, subject: str) -> None:
        """Remove the notice about `subject`, if there is one."""
        notice = self._notices.pop(subject, None)
        if notice is not None:
            self._rows.removeWidget(notice)
            notice.hide()
            notice.deleteLater()
        self.setVisible(bool(self._notices))
        self._lay_over()

    def clear(self) -> None:
        """Remove all notices."""
        for subject in list(self._notices):
            self.dismiss(subject)

    def notice(self, subject: str) -> Notice | None:
        """Return the notice about `subject`."""
        return self._notices.get(subject)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._lay_over()
        return super().eventFilter(watched, event)

    def _lay_over(self) -> None:
        """Set the geometry: at the right, above the lower edge of the area, as high as the texts need."""
        area = self._area
        width = min(area.width() - 2 * MARGIN, MAX_WIDTH)
        self._rows.activate()
        height = self._rows.heightForWidth(width) if self._rows.hasHeightForWidth() else self._rows.sizeHint().height()
        left = area.width() - MARGIN - width
        self.setGeometry(left, area.height() - BOTTOM_MARGIN - height, width, height)
        self.raise_()

    def texts(self) -> list[str]:
        """Return the texts of all notices, oldest first."""
        return [notice.text.text() for notice in self._notices.values()]
