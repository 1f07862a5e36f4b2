"""``rtgain run --headless``: a session from start to end, with its output files and progress on a terminal."""

import math
import sys
from collections.abc import Callable
from pathlib import Path

from rtgain.cli.progress import progress
from rtgain.config.session_config import SessionConfig
from rtgain.errors import InputError, RtgainError
from rtgain.number_format import format_result
from rtgain.output.output_files import OutputFiles, OutputPaths
from rtgain.records.estimate import Estimate
from rtgain.records.level_match import LevelMatch
from rtgain.records.recording_offset import RecordingOffset
from rtgain.session.pair_loudness import measure_loudness
from rtgain.session.pair_offset import search_offset
from rtgain.session.session import Session
from rtgain.system.shutdown_signals import InterruptHandler


def run_headless(config: SessionConfig, paths: OutputPaths, interruption: InterruptHandler) -> int:
    """Run the session to its end, its duration or an interruption, and write the outputs. Returns the exit code.

    A run also ends when the reading end of a CSV pipe is closed (EPIPE).

    Raises `InputError`, without any output file, if the session cannot start, or if it fails on the offline clock,
    where it can be repeated. If a live session fails, `DeviceError` or `InputError` is raised with every output
    complete up to the failure.
    """
    paths.check(config.files)
    offset = _search_offset(config, interruption) if config.is_pair else None
    if config.is_pair and offset is None:
        return interruption.exit_code
    level_match = None
    if offset is not None and config.level_match != "off":
        level_match = _measure_level(config, offset, interruption)
        if interruption.requested:
            return interruption.exit_code
        print(f"rtgain: {level_match.sentence()} {level_match.trim_sentence()}".rstrip(), file=sys.stderr)
    with Session(
        config,
        clock=config.resolved_clock(headless=True),
        keep_all_estimates=paths.plot is not None,
        record=paths.record is not None,
        offset=offset,
        level_match=level_match,
    ) as session:
        session.check()
        # Before torch is loaded: errors are reported at once.
        outputs = OutputFiles(paths, session.sample_rate, session.channels)
        try:
            session.start(wait=True, cancelled=lambda: interruption.requested)
        except BaseException:
            outputs.discard()
            raise
        errors: list[RtgainError] = []
        steps: list[Callable[[], None]] = [
            lambda: _play(session, outputs, interruption),
            lambda: _write(session, session.drain(), outputs),
        ]
        for step in steps:
            try:
                step()
            except RtgainError as error:
                if session.clock == "offline":  # the run can be repeated; a live one cannot
                    outputs.discard()
                    raise
                errors.append(error)
        summary = session.summary()
        try:
            outputs.finish(summary, session.history.latest(), session.equalizer, is_interrupted=interruption.requested)
        except InputError as error:
            errors.append(error)
        for notice in outputs.notices:
            print(f"rtgain: {notice}", file=sys.stderr)
        if errors:
            raise errors[0]
        if sys.stderr.isatty():
            print(format_result(summary.gain_db, summary.std_db, summary.state), file=sys.stderr)
        return interruption.exit_code


def _search_offset(config: SessionConfig, interruption: InterruptHandler) -> RecordingOffset | None:
    """Find the offset of the second recording; None if it was interrupted."""
    with progress("aligning", 100) as update:
        return search_offset(
            config,
            on_progress=lambda share: update("aligning", round(100 * share)),
            cancelled=lambda: interruption.requested,
        )


def _measure_level(config: SessionConfig, offset: RecordingOffset, interruption: InterruptHandler) -> LevelMatch:
    """Measure the loudness of two recordings over their section, and their gain if that is to be matched."""
    loudness = measure_loudness(config, offset, cancelled=lambda: interruption.requested)
    if config.level_match == "loudness":
        return LevelMatch(config.level_match, loudness_lu=loudness.difference_lu)
    from rtgain.match.pair import match_pair  # torch, which a live session loads in its worker only

    details = match_pair(
        Path(config.input),
        Path(config.target),
        start=config.start,
        end=config.end,
        cancelled=lambda: interruption.requested,
    )
    gain_db = details.result.gain_db if details is not None else None
    return LevelMatch(config.level_match, math.nan if gain_db is None else gain_db, loudness.difference_lu)


def _play(session: Session, outputs: OutputFiles, interruption: InterruptHandler) -> None:
    """Run the session and write its results. Raises `InputError` and `DeviceError`."""
    with progress("starting", session.total_frames) as update:
        while not (session.is_finished or interruption.requested or outputs.pipe_closed):
            _write(session, session.advance(), outputs)
            last = session.history.last
            update(f"{last.gain_est_db:+8.3f} dB {last.state.label:<10}" if last else "waiting", session.frames)


def _write(session: Session, estimates: list[Estimate], outputs: OutputFiles) -> None:
    """Write the results of the session's last step; the sound first, because it cannot be reproduced."""
    for matched in session.read_matched():
        outputs.record(matched)
    for estimate in estimates:
        outputs.add(estimate)
    for notice in session.pop_notices():
        print(f"rtgain: {notice}", file=sys.stderr)
