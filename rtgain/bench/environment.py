"""Where benchmarks run the app: a process on an audio server and a display of its own."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from rtgain.errors import InputError

START_S = 120.0
"""How long a run may take beside what is measured."""


def require(programs: Mapping[str, str]) -> None:
    """Raise `InputError` with the Debian packages of those `programs` (their names to packages) that are missing."""
    missing = [package for program, package in programs.items() if not shutil.which(program)]
    if missing:
        raise InputError(f"bench: needs {', '.join(missing)}; install the Debian packages of these names")


@contextmanager
def isolated_environment(period_frames: int) -> Iterator[dict[str, str]]:
    """The environment of a process on a JACK server that waits for nobody, with a display and nobody's settings.

    Raises `InputError` where a server does not start.
    """
    from rtgain.bench.servers import JackServer, XDisplay  # of Linux

    with ExitStack() as stack:
        try:
            server = JackServer(period=period_frames, synchronous=False)
            stack.callback(server.stop)
            display = XDisplay()
            stack.callback(display.stop)
        except RuntimeError as error:
            raise InputError(f"bench: {error}") from None
        home = stack.enter_context(tempfile.TemporaryDirectory())
        yield {
            **os.environ,
            **server.environment,
            "DISPLAY": display.name,
            "QT_QPA_PLATFORM": "xcb",
            "HOME": home,
            "XDG_CONFIG_HOME": home,
            "XDG_STATE_HOME": home,
            "OMP_NUM_THREADS": "1",
        }


def measure(environment: Mapping[str, str], module: str, words: Sequence[str], duration_s: float) -> dict[str, Any]:
    """What ``python -m module words duration_s`` prints last, as JSON. Raises `InputError` with what it says else."""
    command = [sys.executable, "-m", module, *words, str(duration_s)]
    what = f"bench: {' '.join([module.rpartition('.')[2], *words])}"
    timeout_s = duration_s + START_S
    try:
        run = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{what} did not end within {timeout_s:.0f} s") from None
    if run.returncode != 0:
        reason = (run.stderr.strip() or "it said nothing").splitlines()[-1]
        raise InputError(f"{what} failed: {reason}")
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found
