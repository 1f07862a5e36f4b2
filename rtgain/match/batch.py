"""Many pairs, out of a CSV into a CSV: in parallel, none stopping the others, taken up again where it ended."""

import csv
import multiprocessing
import os
from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from dataclasses import asdict, fields
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rtgain.errors import InputError, RtgainError
from rtgain.match.result import MatchResult
from rtgain.system.atomic_write import write_error
from rtgain.system.file_lock import lock_for_writing
from rtgain.system.shutdown_signals import EXIT_INTERRUPTED, InterruptHandler

PAIR = ("dry", "target")
RESULT = (*(field.name for field in fields(MatchResult)), "error")
IN_FLIGHT = 4
"""Pairs handed out for each process, so that none waits for the one before it in the manifest."""

Row = dict[str, str]


def match_manifest(manifest: Path, results: Path, jobs: int | None, interruption: InterruptHandler) -> int:
    """Match every pair of `manifest` that has no row in `results` yet; append a row each, in order. The exit code.

    Raises `InputError` for a manifest or results that cannot be used, and, at the end, for pairs that failed.
    """
    columns, rows = _read(manifest)
    clash = [name for name in columns if name in RESULT]
    if clash:
        raise InputError(f"{manifest}: the column {clash[0]!r} is one of ours; rename it")
    if results.resolve() == manifest.resolve():
        raise InputError(f"--csv {results}: is the manifest; name another file")
    header = [*columns, *RESULT]
    try:
        with lock_for_writing(results) or nullcontext():
            failed = _append_missing(rows, manifest.parent, results, header, jobs, interruption)
    except OSError as error:
        raise write_error(str(results), error) from None
    if interruption.requested:
        return EXIT_INTERRUPTED
    if failed:
        raise InputError(
            f"{failed} of {len(rows)} pairs failed; the column 'error' of {results} says why, and a row that is taken "
            "out of it is tried again"
        )
    return 0


def _append_missing(
    rows: list[Row], folder: Path, results: Path, header: list[str], jobs: int | None, interruption: InterruptHandler
) -> int:
    """Match what has no row in `results` yet; how many pairs have failed, before or now."""
    there: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in _done(results, header):
        there[row["dry"], row["target"]].append(row)
    left, failed = [], 0
    for row in rows:
        if found := there[row["dry"], row["target"]]:
            failed += bool(found.pop(0)["error"])
        else:
            left.append(row)
    with results.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header, lineterminator="\n")
        if file.tell() == 0:
            writer.writeheader()
        for row, result in _progress(_matched(left, folder, jobs, interruption), len(left)):
            writer.writerow({**row, **result})
            file.flush()
            failed += bool(result["error"])
    return failed


def _read(manifest: Path) -> tuple[list[str], list[Row]]:
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restkey="", strict=True)
            columns = list(reader.fieldnames or [])
            missing = [name for name in PAIR if name not in columns]
            if missing:
                raise InputError(f"{manifest}: has no column {missing[0]!r}; its first line must name dry and target")
            if len(set(columns)) < len(columns):
                raise InputError(f"{manifest}: names a column twice; rename one")
            rows = []
            for row in reader:
                if ("" in row and "" not in columns) or None in row.values():
                    raise InputError(f"{manifest}, line {reader.line_num}: {len(columns)} cells are expected")
                rows.append(row)
    except OSError as error:
        raise InputError(f"{manifest}: {error.strerror}; --manifest wants a CSV with columns dry,target") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{manifest}: no CSV text ({error}); --manifest wants columns dry,target") from None
    return columns, rows


def _done(results: Path, header: list[str]) -> list[Row]:
    """The rows that are there, after what a killed run left of its last one is cut off."""
    try:
        content = results.read_bytes()
        if not content:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        reader = csv.DictReader(whole.decode("utf-8").splitlines(keepends=True), strict=True)
        rows = list(reader)
        if reader.fieldnames != header:
            raise InputError(f"--csv {results}: holds something else than results of this manifest; name another file")
        if len(whole) < len(content):
            with results.open("r+b") as file:
                file.truncate(len(whole))
        return rows
    except FileNotFoundError:
        return []
    except OSError as error:
        raise write_error(str(results), error) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"--csv {results}: is no CSV of results ({error}); name another file") from None


def _matched(
    rows: list[Row], folder: Path, jobs: int | None, interruption: InterruptHandler
) -> Iterator[tuple[Row, Row]]:
    """Each row with its result, in order."""
    if not rows:
        return
    processes = min(jobs or os.cpu_count() or 1, len(rows))
    waiting: deque[tuple[Row, Future[Row]]] = deque()
    coming = iter(rows)
    pool = _pool(processes)
    try:
        while not interruption.requested:
            while len(waiting) < IN_FLIGHT * processes and (row := next(coming, None)) is not None:
                waiting.append((row, pool.submit(_match, folder / row["dry"], folder / row["target"])))
            if not waiting:
                return
            row, future = waiting[0]
            try:
                result = future.result()
            except BrokenProcessPool:
                # One pair brought a process down, and all that were waiting with it: find out which, one by one.
                pool.shutdown(cancel_futures=True)
                suspects = [row for row, _ in waiting]
                waiting.clear()
                for suspect in suspects:
                    yield suspect, _alone(folder / suspect["dry"], folder / suspect["target"])
                pool = _pool(processes)
                continue
            waiting.popleft()
            yield row, result
    finally:
        pool.shutdown(cancel_futures=True)


def _alone(dry: Path, target: Path) -> Row:
    with _pool(1) as pool:
        try:
            return pool.submit(_match, dry, target).result()
        except BrokenProcessPool:
            return _failure("the process that matched this pair was ended from outside; is there memory enough?")


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"), initializer=_prepare)


def _prepare() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends us in order


def _match(dry: Path, target: Path) -> Row:
    from rtgain.match.pair import match_pair

    try:
        match = match_pair(dry, target).match
    except RtgainError as error:
        return _failure(" ".join(str(error).split()))
    except (OSError, MemoryError) as error:
        return _failure(f"{type(error).__name__}: {error}")
    return {name: "" if value is None else str(value) for name, value in asdict(match).items()} | {"error": ""}


def _failure(reason: str) -> Row:
    return dict.fromkeys(RESULT, "") | {"error": reason}


def _progress(results: Iterator[tuple[Row, Row]], total: int) -> Iterator[tuple[Row, Row]]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from results
        return
    columns = (TextColumn("matching"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        yield from bar.track(results, total=total)
