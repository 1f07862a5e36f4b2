"""Writes a session's results into a folder, in a thread."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from rtgain.errors import RtgainError
from rtgain.output.session_export import write_session_export

if TYPE_CHECKING:
    from rtgain.match.comparison_export import Comparison
    from rtgain.records.session_export import SessionExport


class Exporter(QObject):
    """Writes one export at a time; matplotlib, which draws the figure, takes seconds to load."""

    done = Signal(str)
    """All files are in this folder."""

    ended = Signal(str)
    """Nothing was written: the reason in one line, empty if it was cancelled."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._thread = ThreadPoolExecutor(1, "export")
        self._cancelled = threading.Event()

    def export(self, results: "SessionExport", parent_folder: Path, comparison: "Comparison | None" = None) -> None:
        """Write `results`, and those of a comparison, into a new folder in `parent_folder`."""
        self._cancelled.clear()
        self._thread.submit(self._export, results, parent_folder, comparison)

    def cancel(self) -> None:
        """Stop writing and remove what has been written."""
        self._cancelled.set()

    def close(self) -> None:
        """Cancel, and wait for the thread."""
        self.cancel()
        self._thread.shutdown(wait=True)

    def _export(self, results: "SessionExport", parent_folder: Path, comparison: "Comparison | None") -> None:
        def write_more(folder: Path) -> None:
            if comparison is not None:
                from rtgain.match.comparison_export import write_comparison  # FFmpeg and matplotlib

                write_comparison(comparison, folder, self._cancelled.is_set)

        try:
            folder = write_session_export(results, parent_folder, self._cancelled.is_set, write_more)
        except RtgainError as error:
            self.ended.emit(str(error))
        else:
            if folder is None:
                self.ended.emit("")
            else:
                self.done.emit(str(folder))
