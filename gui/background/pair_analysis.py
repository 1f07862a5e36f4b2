"""Analysis of two recordings next to the session: outlines, loudness of the section, and the whole match."""

import json
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from gui.background.python_process import PythonModuleProcess
from rtgain.errors import RtgainError

if TYPE_CHECKING:
    from rtgain.config.session_config import SessionConfig
    from rtgain.records.recording_offset import RecordingOffset

NICENESS = 10
"""Priority of the match: the session that plays is more urgent."""

log = logging.getLogger(__name__)

_Key = tuple[object, ...]


def _files_key(config: "SessionConfig") -> _Key:
    paths = [Path(name) for name in (config.input, config.target)]
    return tuple((str(path), path.stat().st_mtime if path.exists() else 0.0) for path in paths)


def _section_key(config: "SessionConfig") -> _Key:
    return (*_files_key(config), config.start, config.end, config.channels)


class PairAnalysis(QObject):
    """Analyzes the recordings of a session in a thread and in a child process. A newer request replaces an older one.

    The match runs as ``rtgain match`` in a process of its own, because it needs torch.
    """

    overviews_read = Signal(object)
    """Outlines and formats of both recordings: a tuple of two `rtgain.session.overview.Overview`."""

    loudness_measured = Signal(object)
    """Loudness over the section: a `rtgain.session.pair_loudness.PairLoudness`."""

    matched = Signal(dict)
    """Object that ``rtgain match --json`` writes about the section."""

    failed = Signal(str)
    """One of the analyses failed: the reason in one line."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._thread = ThreadPoolExecutor(1, "pair-analysis")
        self._request_id = 0
        self._files: _Key | None = None
        self._section: _Key | None = None
        self._process: PythonModuleProcess | None = None

    def analyze(self, config: "SessionConfig", offset: "RecordingOffset") -> None:
        """Read the outlines, if the files of `config` have changed, and measure the loudness at `offset`."""
        has_new_files = not self.has_files_of(config)
        self._files, self._section = _files_key(config), _section_key(config)
        self._request_id += 1
        self._end_match()
        self._thread.submit(self._measure, self._request_id, config, offset, has_new_files)

    def covers(self, config: "SessionConfig") -> bool:
        """Return True if the recordings and the section of `config` are those of the last request."""
        return self._section == _section_key(config)

    def has_files_of(self, config: "SessionConfig") -> bool:
        """Return True if the recordings of `config` are those of the last request."""
        return self._files == _files_key(config)

    def reset(self) -> None:
        """Discard what is running: the session has no two recordings any more."""
        self._files = self._section = None
        self._request_id += 1
        self._end_match()

    def close(self) -> None:
        """End process and thread; nothing is emitted after that."""
        self.reset()
        self._thread.shutdown(wait=True)

    def _measure(
        self, request_id: int, config: "SessionConfig", offset: "RecordingOffset", has_new_files: bool
    ) -> None:
        """In the thread: read the outlines, then measure the loudness of the section."""
        from rtgain.session.overview import read_overview
        from rtgain.session.pair_loudness import measure_loudness  # loads numba

        def cancelled() -> bool:
            return request_id != self._request_id

        try:
            if has_new_files:
                overviews = [read_overview(path, cancelled=cancelled) for path in (config.input, config.target)]
                if not cancelled():
                    self.overviews_read.emit(tuple(overviews))
            loudness = measure_loudness(config, offset, cancelled=cancelled)
        except RtgainError as error:
            if not cancelled():
                self.failed.emit(str(error))
        else:
            if not cancelled():
                self.loudness_measured.emit(loudness)

    def match(self, config: "SessionConfig") -> None:
        """Match the recordings of `config`. It loads the processor: the estimator of the session starts before."""
        self._end_match()
        process = self._process = PythonModuleProcess(self)
        process.finished.connect(lambda code, _: self._read_match(process, code))
        process.started.connect(lambda: _lower_priority(process.processId()))
        section = [
            word
            for option, time_s in (("--start", config.start), ("--end", config.end))
            if time_s is not None
            for word in (option, repr(time_s))
        ]
        paths = [str(Path(name).absolute()) for name in (config.input, config.target)]
        process.run_module("rtgain", ["match", *paths, *section, "--json", "-"])

    def _read_match(self, process: PythonModuleProcess, exit_code: int) -> None:
        if process is not self._process:
            return
        self._process = None
        process.deleteLater()
        if exit_code != 0:
            lines = bytes(process.readAllStandardError().data()).decode("utf-8", "replace").strip().splitlines()
            reason = lines[-1].removeprefix("rtgain: ") if lines else "the comparison of the recordings failed"
            log.warning("match: %s", reason)
            self.failed.emit(reason)
            return
        result: dict[str, Any] = json.loads(bytes(process.readAllStandardOutput().data()))
        self.matched.emit(result)

    def _end_match(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()
            process.deleteLater()


def _lower_priority(process_id: int) -> None:
    set_priority: Callable[[int, int, int], None] | None = getattr(os, "setpriority", None)  # missing on Windows
    if set_priority is not None and process_id:
        set_priority(os.PRIO_PROCESS, process_id, NICENESS)
