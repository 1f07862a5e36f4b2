"""Workers of an existing Dask cluster as the executor of a batch (the extra ``rtgain[cluster]``)."""

import logging
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, wait
from types import TracebackType
from typing import Any, Self, TypeVar

from rtgain import __version__
from rtgain.errors import InputError
from rtgain.match.batch import COUNT_INTERVAL_S
from rtgain.match.pair_process import PairOutcome, failure, match_on_worker

CONNECT_TIMEOUT_S = 10

ANSWER_TIMEOUT_S = 60
"""Time for the scheduler to answer a question, and for its workers to answer it."""

COMPARED_PACKAGES = ("python", "dask", "distributed")
"""Packages whose versions must be equal on all machines of a cluster; on the workers, that of rtgain, too."""


class ClusterWorkers:
    """Executor of pairs on the workers of the Dask scheduler at `address`, as ``tcp://HOST:PORT``.

    The workers read the recordings themselves. Raises `InputError` if Dask is not installed, if the scheduler cannot be
    reached, or if the versions on its machines differ. `on_notice` receives lines for the user.
    """

    def __init__(self, address: str, on_notice: Callable[[str], None]) -> None:
        self._address = address
        try:
            import distributed
        except ModuleNotFoundError as error:
            raise InputError(
                f'--cluster: the package {error.name} is not installed; install it with: pip install "rtgain[cluster]"'
            ) from None
        self._errors = (OSError, RuntimeError, ValueError)
        self._killed_error = distributed.KilledWorker
        _silence(distributed)

        class Client(distributed.Client):  # type: ignore[misc]
            def __del__(self) -> None:
                """Do nothing: `__exit__` closes it, and closing one that never connected would print a traceback."""

        try:
            with warnings.catch_warnings(action="ignore"):  # of versions that differ, which are compared here
                self._client: Any = _within(  # longer than Dask, which says more, but has no limit for the handshake
                    CONNECT_TIMEOUT_S + 2, lambda: Client(address, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
                )
        except (*self._errors, MemoryError) as error:
            # Dask takes the beginning of another protocol's answer for a length, and allocates that much memory.
            reason = "another program does" if isinstance(error, MemoryError) else _first_line(error)
            raise InputError(
                f"--cluster {address}: no Dask scheduler answers ({reason}); start one with: "
                "dask scheduler, and give its address as tcp://HOST:8786"
            ) from None
        self._on_notice = on_notice
        self._counted_s = -COUNT_INTERVAL_S
        self._capacity = 1
        self._checked: set[str] | None = None
        try:
            self.capacity()
        except BaseException:
            self._client.close()
            raise
        self._executor = self._client.get_executor(pure=False)

    def capacity(self) -> int:
        if time.monotonic() - self._counted_s >= COUNT_INTERVAL_S:
            try:
                threads: dict[str, int] = _within(ANSWER_TIMEOUT_S, self._client.nthreads)
                if self._checked is None or set(threads) - self._checked:
                    self._check_versions()
                    self._checked = set(threads)
            except self._errors as error:
                raise self._lost(error) from None
            if self._capacity and not threads:
                address = self._address
                self._on_notice(
                    f"--cluster {address}: has no workers; start some with: dask worker {address} --nthreads 1"
                )
            self._capacity = sum(threads.values())
            self._counted_s = time.monotonic()
        return self._capacity

    def submit(self, folder: str, dry: str, target: str) -> "Future[PairOutcome]":
        try:
            future: Future[PairOutcome] = self._executor.submit(match_on_worker, folder, dry, target, __version__)
        except self._errors as error:
            raise self._lost(error) from None
        return future

    def outcome(self, future: "Future[PairOutcome]") -> PairOutcome:
        try:
            return future.result()
        except self._killed_error:
            return failure("its workers were lost, one after the other, possibly because memory ran out")
        except InputError:
            raise
        except CancelledError as error:
            raise self._lost(error) from None
        except Exception as error:  # raised by Dask on a worker, as for a missing package
            raise InputError(
                f"--cluster {self._address}: a worker failed ({type(error).__name__}: {_first_line(error)}); "
                "install the same rtgain and the same Python packages on all machines"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def _check_versions(self) -> None:
        versions = _within(ANSWER_TIMEOUT_S, lambda: self._client.get_versions(packages=["rtgain"]))
        machines = {"the scheduler": (versions["scheduler"], COMPARED_PACKAGES)} | {
            f"the worker {address}": (details, (*COMPARED_PACKAGES, "rtgain"))
            for address, details in versions["workers"].items()
        }
        here = versions["client"]["packages"]
        for machine, (details, packages) in machines.items():
            for package in packages:
                ours, theirs = here[package], details["packages"][package]
                if ours != theirs:
                    raise InputError(
                        f"--cluster {self._address}: {machine} has {package} {theirs or 'not installed'}, and this "
                        f"machine has {ours or 'it not installed'}; install the same versions on all machines"
                    )

    def _lost(self, error: BaseException) -> InputError:
        detail = f" ({_first_line(error)})" if str(error) else ""
        return InputError(
            f"--cluster {self._address}: the connection to the scheduler was lost{detail}; all finished rows are "
            "written; run the same command again when the scheduler is back"
        )


Answer = TypeVar("Answer")


def _within(timeout_s: float, ask: Callable[[], Answer]) -> Answer:
    """Return `ask()`. Raises `TimeoutError` after `timeout_s`, because Dask waits for some answers without a limit."""
    answer: Future[Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=run, name="ask", daemon=True).start()
    wait([answer], timeout_s)
    if not answer.done():
        raise TimeoutError(f"no answer within {timeout_s} s")
    return answer.result()


def _silence(distributed: Any) -> None:
    """Keep Dask's own lines off standard error: the same events are reported in one line."""
    for name in logging.root.manager.loggerDict:
        if name.split(".")[0] == distributed.__name__:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
