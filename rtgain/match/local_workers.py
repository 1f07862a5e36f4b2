"""Processes of this machine as the executor of a batch."""

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from rtgain.match.pair_process import PairOutcome, PairProcesses


class LocalWorkers:
    """Executor of `jobs` pairs at a time on this machine; each of its threads waits for a process.

    An exception in the ``with`` statement ends the pairs that are running; otherwise they are waited for.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._processes = PairProcesses()
        self._executor = ThreadPoolExecutor(jobs, "pair")

    def capacity(self) -> int:
        return self._jobs

    def submit(self, folder: str, dry: str, target: str) -> "Future[PairOutcome]":
        return self._executor.submit(self._processes.match, folder, dry, target)

    def outcome(self, future: "Future[PairOutcome]") -> PairOutcome:
        return future.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        if kind is not None:
            self._processes.stop()
        self._executor.shutdown()
