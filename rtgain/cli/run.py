"""A session without a window: from start to end, its files written, its progress on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from rtgain.config.session_config import SessionConfig
from rtgain.errors import InputError, RtgainError
from rtgain.number_format import format_result
from rtgain.output.output_files import OutputFiles, OutputPaths
from rtgain.records.estimate import Estimate
from rtgain.session.session import Session
from rtgain.system.shutdown_signals import EXIT_INTERRUPTED, InterruptHandler


def run_headless(config: SessionConfig, paths: OutputPaths, interruption: InterruptHandler) -> int:
    """Run the session to its end, its duration or an interruption; write what was asked for; the exit code.

    Raises `InputError` with no file left behind when the session could not begin, or on the fast clock, where
    nothing is lost. When a live one fails on its way, `DeviceError` or `InputError` comes with every output whole
    up to there. It also ends when who reads the CSV from a pipe has gone.
    """
    paths.check([name for name in (config.input if config.is_file else None, config.automation) if name])
    with Session(
        config,
        clock=config.resolved_clock(headless=True),
        keep_whole_trace=paths.plot is not None,
        record=paths.record is not None,
    ) as session:
        session.check()
        outputs = OutputFiles(paths, session.sample_rate)  # before torch is loaded: what is wrong is told at once
        try:
            session.start(wait=True, cancelled=lambda: interruption.requested)
        except BaseException:
            outputs.discard()
            raise
        faults: list[RtgainError] = []
        steps: list[Callable[[], None]] = [
            lambda: play(session, outputs, interruption),
            lambda: write(session, session.finish(), outputs),
        ]
        for step in steps:
            try:
                step()
            except RtgainError as fault:
                if session.clock == "offline":  # it can be repeated; on the other clocks a take is a take
                    outputs.discard()
                    raise
                faults.append(fault)
        summary = session.summary()
        try:
            outputs.finish(summary, session.trace.history())
        except InputError as fault:
            faults.append(fault)
        if faults:
            raise faults[0]
        if sys.stderr.isatty():
            print(format_result(summary.gain_db, summary.std_db, summary.state), file=sys.stderr)
        return EXIT_INTERRUPTED if interruption.requested else 0


def play(session: Session, outputs: OutputFiles, interruption: InterruptHandler) -> None:
    """Let the session run, and write what comes of it. Raises `InputError` and `DeviceError`."""
    with progress(session) as show:
        while not (session.ended or interruption.requested or outputs.reader_gone):
            write(session, session.advance(), outputs)
            show()


def write(session: Session, estimates: list[Estimate], outputs: OutputFiles) -> None:
    """Write what has come of the session's last step, the sound first: it does not come again."""
    for matched in session.read_matched():
        outputs.record(matched)
    for estimate in estimates:
        outputs.add(estimate)
    for notice in session.pop_notices():
        print(f"rtgain: {notice}", file=sys.stderr)


@contextmanager
def progress(session: Session) -> Iterator[Callable[[], None]]:
    """A progress line on standard error when that is a terminal, nothing otherwise; call what it gives to update it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=session.total_frames)

        def show() -> None:
            last = session.trace.last
            text = f"{last.gain_est_db:+8.3f} dB {last.state.label:<10}" if last else "waiting"
            bar.update(task, description=text, completed=session.frames)

        yield show
