"""Analysis of a dry recording and its targets next to the session: offset, outlines, loudness, and the whole match."""

import json
import logging
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from gui.background.python_process import PythonModuleProcess
from gui.control.session_controller import pair_key
from rtgain.config.session_config import SessionConfig, with_changes
from rtgain.errors import RtgainError
from rtgain.records.level_match import LevelDifference

if TYPE_CHECKING:
    from rtgain.records.recording_offset import RecordingOffset
    from rtgain.session.overview import Overview
    from rtgain.session.pair_loudness import PairLoudness

NICENESS = 5
"""Priority of the match: the session that plays is more urgent.

On two cores with five other processes, a live session has the same number of estimates and no more xruns than without a
match (measured). At 10, the match has a third of this share of the processor, and takes minutes on a busy machine.
"""

log = logging.getLogger(__name__)

_Key = tuple[object, ...]


def _section_key(config: "SessionConfig") -> _Key:
    return (*pair_key(config), config.start, config.end, config.channels)


@dataclass(frozen=True)
class PairResults:
    """Results about a dry recording and one target over a section.

    Attributes:
        overviews: of both recordings; None until they are read.
        sampled_difference_lu: difference in loudness in excerpts of the section; NaN until they are measured.
        loudness: of both over the section; None until it is measured.
        match: object of ``rtgain match --json`` about the section; None until it is known.
        failure: why an analysis failed, in one line; empty if none did.
    """

    overviews: "tuple[Overview, Overview] | None" = None
    sampled_difference_lu: float = math.nan
    loudness: "PairLoudness | None" = None
    match: dict[str, Any] | None = None
    failure: str = ""

    @property
    def is_measured(self) -> bool:
        """True if outlines and loudness are known; one of them alone may be left of a cancelled analysis."""
        return self.overviews is not None and self.loudness is not None

    @property
    def difference(self) -> LevelDifference:
        """Difference in level as far as it is known."""
        gain_db = None if self.match is None else self.match["gain_db"]
        loudness_lu = self.sampled_difference_lu if self.loudness is None else self.loudness.difference_lu
        return LevelDifference(math.nan if gain_db is None else gain_db, loudness_lu)


class PairAnalysis(QObject):
    """Analyzes pairs of recordings once, in a thread and in a child process, and keeps the results.

    The match runs as ``rtgain match`` in a process of its own, because it needs torch. `offset_of` returns the offset
    of a pair if it is known; others are searched for.

    What is heard and seen first comes first: the difference in loudness in excerpts, and the outlines. Both recordings
    are played before their delay has been followed over the whole.
    """

    changed = Signal()
    """There are new results."""

    offset_found = Signal(object, object)
    """The offset of a target was found, or its delay followed: the `SessionConfig` and the `RecordingOffset`."""

    _partly_measured = Signal(object, object)
    _measured = Signal(object, object)

    def __init__(self, parent: QObject, offset_of: "Callable[[SessionConfig], RecordingOffset | None]") -> None:
        super().__init__(parent)
        self._offset_of = offset_of
        self._thread = ThreadPoolExecutor(1, "pair-analysis")
        self._results: dict[_Key, PairResults] = {}
        self._overviews: dict[tuple[str, float], Overview] = {}
        self._wanted: dict[_Key, SessionConfig] = {}
        self._measuring: set[_Key] = set()
        self._matching: _Key | None = None
        self._may_match = False
        self._process: PythonModuleProcess | None = None
        self._partly_measured.connect(self._handle_partly_measured)
        self._measured.connect(self._handle_measured)

    def results(self, config: "SessionConfig") -> PairResults:
        """Return the results so far about the recordings and the section of `config`."""
        return self._result_of(_section_key(config))

    def cover(self, configs: "Sequence[SessionConfig]") -> None:
        """Analyze the pairs of `configs`, in this order, and none that was requested before and is not among them.

        Matches begin after `start_matching`: they load the processor, and the estimator of the session starts before.
        """
        self._wanted = {_section_key(config): config for config in configs}
        if self._matching not in self._wanted:
            self._end_match()
        for key in self._wanted:
            results = self._result_of(key)
            if not results.is_measured and not results.failure and key not in self._measuring:
                self._measuring.add(key)
                self._thread.submit(self._measure, key)
        self._match_next()

    def start_matching(self) -> None:
        """Match the pairs from now on, one after the other."""
        self._may_match = True
        self._match_next()

    def pause_matching(self) -> None:
        """Start no match before `start_matching`: a session starts."""
        self._may_match = False

    def close(self) -> None:
        """End process and thread; nothing is emitted after that."""
        self._wanted = {}
        self._end_match()
        self._thread.shutdown(wait=True)

    def _result_of(self, key: _Key) -> PairResults:
        return self._results.get(key, PairResults())

    def store(self, config: "SessionConfig", **changes: Any) -> None:
        """Change results about the recordings and the section of `config`."""
        self._store(_section_key(config), **changes)

    def _store(self, key: _Key, **changes: Any) -> None:
        self._results[key] = replace(self._result_of(key), **changes)
        self.changed.emit()

    def _measure(self, key: _Key) -> None:
        """In the thread: find the offset, measure loudness, read outlines.

        Of long recordings, loudness is sampled, and it is measured last, along the delay that is followed before it.
        """
        config = self._wanted.get(key)
        if config is None:  # cancelled before it began
            self._measured.emit(key, {})
            return
        from rtgain.session.pair_loudness import measure_loudness, sample_difference_lu  # loads numba
        from rtgain.session.pair_offset import follow_offset, search_offset

        was_cancelled = False

        def cancelled() -> bool:
            nonlocal was_cancelled  # also if it is requested again: a part has been left out
            was_cancelled = was_cancelled or key not in self._wanted
            return was_cancelled

        results: dict[str, Any] = {}  # empty if it was cancelled
        try:
            offset = self._offset_of(config)
            if offset is None:
                offset = search_offset(with_changes(config, align="on"), first_part=True, cancelled=cancelled)
                if offset is None:
                    return
                self.offset_found.emit(config, offset)
            if offset.is_followed:
                loudness = measure_loudness(config, offset, cancelled=cancelled)
                if cancelled():
                    return
                self._partly_measured.emit(key, {"loudness": loudness})
            else:
                self._partly_measured.emit(key, {"sampled_difference_lu": sample_difference_lu(config, offset)})
            overviews = [self._read_overview(file, cancelled) for file in pair_key(config)]
            if cancelled():
                return
            self._partly_measured.emit(key, {"overviews": tuple(overviews)})
            if not offset.is_followed:
                offset = follow_offset(config, offset, cancelled=cancelled)
                if offset is None:
                    return
                self.offset_found.emit(config, offset)
                results["loudness"] = measure_loudness(config, offset, cancelled=cancelled)
                if cancelled():
                    results.clear()
        except RtgainError as error:
            results["failure"] = str(error)
        except Exception as error:  # without a result it would be measured again and again
            log.exception("The recordings were not analyzed")
            results["failure"] = f"the recordings were not analyzed: {type(error).__name__}: {error}"
        finally:
            self._measured.emit(key, results)

    def _read_overview(self, file: tuple[str, float], cancelled: Callable[[], bool]) -> "Overview":
        """In the thread: read the outline of a file, unless it is known."""
        from rtgain.session.overview import read_overview

        if (overview := self._overviews.get(file)) is None:
            overview = read_overview(file[0], cancelled=cancelled)
            if not cancelled():
                self._overviews[file] = overview
        return overview

    def _handle_partly_measured(self, key: _Key, results: dict[str, Any]) -> None:
        self._store(key, **results)

    def _handle_measured(self, key: _Key, results: dict[str, Any]) -> None:
        self._measuring.discard(key)
        if results:
            self._store(key, **results)
        elif key in self._wanted:  # it was requested again after it was cancelled
            self.cover(list(self._wanted.values()))
        self._match_next()

    def _match_next(self) -> None:
        """Start the match of the first pair that is measured, unless one runs."""
        if not self._may_match or self._process is not None:
            return
        for key, config in self._wanted.items():
            results = self._result_of(key)
            if results.is_measured and results.match is None and not results.failure:
                self._matching = key
                self.match(config)
                return

    def match(self, config: "SessionConfig") -> None:
        """Match the recordings of `config` in a process."""
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
        if process is not self._process or self._matching is None:
            return
        key, self._matching, self._process = self._matching, None, None
        process.deleteLater()
        if exit_code != 0:
            lines = bytes(process.readAllStandardError().data()).decode("utf-8", "replace").strip().splitlines()
            reason = lines[-1].removeprefix("rtgain: ") if lines else "the comparison of the recordings failed"
            log.warning("match: %s", reason)
            self._store(key, failure=reason)
        else:
            self._store(key, match=json.loads(bytes(process.readAllStandardOutput().data())))
        self._match_next()

    def _end_match(self) -> None:
        process, self._process, self._matching = self._process, None, None
        if process is not None:
            process.end()
            process.deleteLater()


def _lower_priority(process_id: int) -> None:
    set_priority: Callable[[int, int, int], None] | None = getattr(os, "setpriority", None)  # missing on Windows
    if set_priority is not None and process_id:
        set_priority(os.PRIO_PROCESS, process_id, NICENESS)
