"""Matching of many pairs from a CSV manifest into a CSV of results: parallel, isolated from crashes, resumable."""

import csv
import multiprocessing
import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path

from rtgain.errors import InputError, RtgainError
from rtgain.match.result import MatchResult
from rtgain.output.csv_writer import complete_rows_bytes, truncate_to_complete_rows
from rtgain.system.atomic_write import write_error
from rtgain.system.file_lock import lock_for_writing
from rtgain.system.shutdown_signals import EXIT_INTERRUPTED, InterruptHandler

PAIR_COLUMNS = ("dry", "target")
RESULT_COLUMNS = (*(field.name for field in fields(MatchResult) if field.name not in ("channels", "filters")), "error")

PENDING_PER_PROCESS = 4
"""Pairs submitted per process, so that no process waits for an earlier pair of the manifest."""

Row = dict[str, str]
Results = Iterable[tuple[Row, Row]]
"""Rows of the manifest, each with its result."""


def match_manifest(
    manifest: Path,
    results: Path,
    jobs: int | None,
    interruption: InterruptHandler,
    *,
    track: Callable[[Results, int], Results] = lambda matched, total: matched,
) -> int:
    """Match every pair of `manifest` that has no row in `results` yet, and append the rows in order.

    `jobs` is the number of processes, by default one per core; `track` wraps the results and their number, to show
    progress. Returns the exit code. Raises `InputError` for a manifest or results that cannot be used, and, at the
    end, for pairs that failed.
    """
    columns, rows = _read_manifest(manifest)
    reserved = [name for name in columns if name in RESULT_COLUMNS]
    if reserved:
        raise InputError(f"{manifest}: the column name {reserved[0]!r} is reserved; rename it")
    if results.resolve() == manifest.resolve():
        raise InputError(f"--csv {results}: is the manifest; name another file")
    header = [*columns, *RESULT_COLUMNS]
    try:
        with lock_for_writing(results) or nullcontext():
            failed = 0
            existing: dict[tuple[str, str], list[Row]] = defaultdict(list)
            for row in _read_results(results, header):
                existing[row["dry"], row["target"]].append(row)
            missing = []
            for row in rows:
                if matches := existing[row["dry"], row["target"]]:
                    failed += bool(matches.pop(0)["error"])
                else:
                    missing.append(row)
            matched = track(_match_rows(missing, manifest.parent, jobs, interruption), len(missing))
            failed += _append(matched, results, header)
    except OSError as error:
        raise write_error(str(results), error) from None
    if interruption.requested:
        return EXIT_INTERRUPTED
    if failed:
        raise InputError(
            f"{failed} of {len(rows)} pairs failed; see the column 'error' of {results}, and delete a row to retry it"
        )
    return 0


def _append(matched: Results, results: Path, header: list[str]) -> int:
    """Append the rows to `results`. Returns the number of pairs that failed."""
    failed = 0
    with results.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header, lineterminator="\n")
        if file.tell() == 0:
            writer.writeheader()
        for row, result in matched:
            writer.writerow({**row, **result})
            file.flush()
            failed += bool(result["error"])
    return failed


def _read_manifest(manifest: Path) -> tuple[list[str], list[Row]]:
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restkey="", strict=True)
            columns = list(reader.fieldnames or [])
            missing = [name for name in PAIR_COLUMNS if name not in columns]
            if missing:
                raise InputError(f"{manifest}: has no column {missing[0]!r}; its first line must name dry and target")
            if len(set(columns)) < len(columns):
                raise InputError(f"{manifest}: names a column twice; rename one")
            rows = []
            for row in reader:
                if ("" in row and "" not in columns) or None in row.values():
                    raise InputError(f"{manifest}, line {reader.line_num}: expected {len(columns)} cells")
                rows.append(row)
    except OSError as error:
        raise InputError(f"{manifest}: {error.strerror}; --manifest expects a CSV with columns dry,target") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{manifest}: not a CSV text file ({error}); --manifest expects columns dry,target") from None
    return columns, rows


def _read_results(results: Path, header: list[str]) -> list[Row]:
    """Read the rows that exist, and remove an incomplete last row, as a killed run leaves it."""
    try:
        complete = results.read_bytes()[: complete_rows_bytes(results)]
        if not complete and results.stat().st_size == 0:
            return []
        reader = csv.DictReader(complete.decode("utf-8").splitlines(keepends=True), strict=True)
        rows = list(reader)
        if reader.fieldnames != header:
            raise InputError(f"--csv {results}: contains other data than this manifest's results; choose another file")
        truncate_to_complete_rows(results)
        return rows
    except FileNotFoundError:
        return []
    except OSError as error:
        raise write_error(str(results), error) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"--csv {results}: not a CSV of results ({error}); choose another file") from None


def _match_rows(
    rows: list[Row], folder: Path, jobs: int | None, interruption: InterruptHandler
) -> Iterator[tuple[Row, Row]]:
    """Yield each row with its result, in order."""
    if not rows:
        return
    processes = min(jobs or os.cpu_count() or 1, len(rows))
    pending: deque[tuple[Row, Future[Row]]] = deque()
    remaining = iter(rows)
    pool = _pool(processes)
    try:
        while not interruption.requested:
            while len(pending) < PENDING_PER_PROCESS * processes and (row := next(remaining, None)) is not None:
                pending.append((row, pool.submit(_match, folder / row["dry"], folder / row["target"])))
            if not pending:
                return
            row, future = pending[0]
            try:
                result = future.result()
            except BrokenProcessPool:
                # One pair crashed its process, and with it all pending pairs: retry each in its own process.
                pool.shutdown(cancel_futures=True)
                retry_rows = [row for row, _ in pending]
                pending.clear()
                for retry_row in retry_rows:
                    yield retry_row, _match_in_own_process(folder / retry_row["dry"], folder / retry_row["target"])
                pool = _pool(processes)
                continue
            pending.popleft()
            yield row, result
    finally:
        pool.shutdown(cancel_futures=True)


def _match_in_own_process(dry: Path, target: Path) -> Row:
    with _pool(1) as pool:
        try:
            return pool.submit(_match, dry, target).result()
        except BrokenProcessPool:
            return _failure("the worker process was killed, possibly because memory ran out")


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        processes, mp_context=multiprocessing.get_context("spawn"), initializer=_initialize_worker
    )


def _initialize_worker() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends the workers


def _match(dry: Path, target: Path) -> Row:
    from rtgain.match.pair import match_pair

    try:
        details = match_pair(dry, target)
    except RtgainError as error:
        return _failure(" ".join(str(error).split()))
    except (OSError, MemoryError) as error:
        return _failure(f"{type(error).__name__}: {error}")
    assert details is not None, "nothing cancels it"
    values = {name: getattr(details.result, name) for name in RESULT_COLUMNS[:-1]}
    return {name: "" if value is None else str(value) for name, value in values.items()} | {"error": ""}


def _failure(reason: str) -> Row:
    return dict.fromkeys(RESULT_COLUMNS, "") | {"error": reason}
