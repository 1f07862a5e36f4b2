"""Matching of many pairs from a CSV manifest into a CSV of results: parallel, isolated from crashes, resumable."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from itertools import chain, islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol

from rtgain.errors import InputError
from rtgain.match.manifest import Manifest, Results
from rtgain.match.pair_process import PairOutcome
from rtgain.match.table import Row
from rtgain.system.atomic_write import write_error
from rtgain.system.file_lock import lock_for_writing
from rtgain.system.shutdown_signals import InterruptHandler

PENDING_PER_WORKER = 8
MIN_PENDING = 64
"""Pairs that are submitted and not yet written: enough that no worker waits for an earlier pair of the manifest."""

COUNT_INTERVAL_S = 5.0
"""Interval at which the workers are counted, also if no pair ends: a cluster may grow, shrink, and stop to answer."""


class Workers(Protocol):
    """Executor of pairs: processes of this machine, or of a cluster."""

    def capacity(self) -> int:
        """Number of pairs that are matched at the same time now."""

    def submit(self, folder: str, dry: str, target: str) -> Future[PairOutcome]:
        """Queue a pair of a manifest in `folder`. Raises the same errors as `outcome`."""

    def outcome(self, future: Future[PairOutcome]) -> PairOutcome:
        """Wait for the outcome of a submitted pair. Raises `InputError` if the workers cannot go on."""


OpenWorkers = Callable[[], AbstractContextManager[Workers]]


def match_manifest(
    manifest_path: Path,
    results_path: Path,
    open_workers: OpenWorkers,
    interruption: InterruptHandler,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    on_notice: Callable[[str], None] = lambda notice: None,
    on_written: Callable[[], None] = lambda: None,
) -> int:
    """Match every pair of the manifest that has no row in the results yet, and append the rows in order.

    The workers are opened if a pair is missing. `on_progress` receives the number of pairs that have a row, and of all;
    `on_notice` receives lines about the recordings; `on_written` is called when no more rows follow.

    Returns the exit code. Raises `InputError` for a manifest or results that cannot be used, and, at the end, for pairs
    that failed.
    """
    manifest = Manifest(manifest_path)
    if results_path.resolve() == manifest_path.resolve():
        raise InputError(f"--csv {results_path}: is the manifest; name another file")
    total = manifest.count()
    failed = done = 0
    try:
        with lock_for_writing(results_path) or nullcontext(), Results(results_path, manifest.columns) as results:

            def missing_rows() -> Iterator[Row]:
                nonlocal failed, done
                for row in manifest:
                    has_failed = results.find(row)
                    if has_failed is None:
                        yield row
                    else:
                        failed += has_failed
                        done += 1

            outcomes = _match_rows(missing_rows(), manifest.folder.resolve(), open_workers, interruption)
            with closing(outcomes):
                for row, outcome in outcomes:
                    results.append({**row, **outcome.cells})
                    failed += bool(outcome.cells["error"])
                    done += 1
                    on_progress(done, total)
                    for notice in outcome.notices:
                        on_notice(notice)
    except OSError as error:
        raise write_error(str(results_path), error) from None
    on_written()
    if interruption.requested:
        return interruption.exit_code
    if failed:
        raise InputError(
            f"{failed} of {total} pairs failed; see the column 'error' of {results_path}, and delete a row to retry it"
        )
    return 0


def _match_rows(
    rows: Iterator[Row], folder: Path, open_workers: OpenWorkers, interruption: InterruptHandler
) -> Generator[tuple[Row, PairOutcome], None, None]:
    """Yield each row with its outcome, in order. After an interruption, those that were running are the last."""
    first = next(rows, None)
    if first is None or interruption.requested:
        return
    events: SimpleQueue[None] = SimpleQueue()  # may be written to by a signal handler
    interruption.subscribe(lambda: events.put(None))
    pending: deque[tuple[Row, Future[PairOutcome]]] = deque()
    rows = chain([first], rows)
    with open_workers() as workers:
        while not interruption.requested:
            limit = max(MIN_PENDING, PENDING_PER_WORKER * workers.capacity())
            for row in islice(rows, max(0, limit - len(pending))):
                future = workers.submit(str(folder), row["dry"], row["target"])
                pending.append((row, future))
                future.add_done_callback(lambda _: events.put(None))
            if not pending:
                return
            if pending[0][1].done():
                row, future = pending.popleft()
                yield row, workers.outcome(future)
            else:
                with suppress(Empty):
                    events.get(timeout=COUNT_INTERVAL_S)
            while not events.empty():
                events.get_nowait()
        for _, future in pending:
            future.cancel()
        while pending and not pending[0][1].cancelled():
            row, future = pending.popleft()
            yield row, workers.outcome(future)
