"""What the user should know, in words, above what it is about, with a way on."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

WARNING_MARK = "\N{WARNING SIGN}\N{VARIATION SELECTOR-15}"


class Notice(QFrame):
    """One sentence, perhaps a button that does something about it, and one that closes it."""

    def __init__(self, text: str, action: str | None, act: Callable[[], object] | None, *, warns: bool) -> None:
        super().__init__()
        self.setProperty("look", "notice" if warns else "card")
        self.text = QLabel(text)
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 6, 6)
        row.setSpacing(10)
        if warns:
            row.addWidget(QLabel(WARNING_MARK))
        row.addWidget(self.text, 1)
        if action is not None and act is not None:
            self.action = QPushButton(action)
            self.action.clicked.connect(act)
            row.addWidget(self.action)
        self.close_button = QPushButton("\N{MULTIPLICATION SIGN}")
        self.close_button.setProperty("look", "plain")
        self.close_button.setAccessibleName("Close this notice")
        row.addWidget(self.close_button)


class NoticeStack(QWidget):
    """The notices that stand, one for each subject; the height is nothing when there are none."""

    def __init__(self) -> None:
        super().__init__()
        self._notices: dict[str, Notice] = {}
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(6)
        self.hide()

    def show_notice(
        self,
        subject: str,
        text: str,
        action: str | None = None,
        act: Callable[[], object] | None = None,
        *,
        warns: bool = True,
    ) -> None:
        """Say `text` about `subject`, in place of what was said about it before; as a warning, unless all is well."""
        standing = self._notices.get(subject)
        if standing is not None and standing.text.text() == text:
            return
        self.dismiss(subject)
        notice = Notice(text, action, act, warns=warns)
        notice.setAccessibleName(text)
        notice.close_button.clicked.connect(lambda: self.dismiss(subject))
        self._notices[subject] = notice
        self._rows.addWidget(notice)
        self.show()

    def dismiss(self, subject: str) -> None:
        """Take back what was said about `subject`, if anything."""
        notice = self._notices.pop(subject, None)
        if notice is not None:
            self._rows.removeWidget(notice)
            notice.hide()
            notice.deleteLater()
        self.setVisible(bool(self._notices))

    def clear(self) -> None:
        """Take everything back."""
        for subject in list(self._notices):
            self.dismiss(subject)

    def notice(self, subject: str) -> Notice | None:
        """The notice that stands about `subject`."""
        return self._notices.get(subject)

    def texts(self) -> list[str]:
        """What is being said, oldest first."""
        return [notice.text.text() for notice in self._notices.values()]
