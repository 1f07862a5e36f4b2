"""Does the sound hold? Xruns and callback time beside the full window and the optimizer, on a real JACK server.

The same session, window and kernel run under three callbacks (see `rtgain.bench.callback_run`), on servers
that do not wait for anybody, at three block lengths, and at the shortest one under loads.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from rtgain.bench.report import Row
from rtgain.errors import InputError

CALLBACKS = ("python-thread", "python-process", "compiled")
BLOCKS = (64, 128, 256)

STRESSORS = {"cpu": ["--cpu", "1"], "disk": ["--hdd", "1", "--hdd-bytes", "64m"]}
"""What stress-ng is asked for; the load `gc` is made within the window's process."""

LOADS = ("gc", *STRESSORS)

RUNS = (
    *((callback, block, "none") for block in BLOCKS for callback in CALLBACKS),
    *((callback, BLOCKS[0], load) for load in LOADS for callback in CALLBACKS),
)

START_S = 120.0
"""How long a run may take beside what is measured."""

PROGRAMS = {"jackd": "jackd2", "stress-ng": "stress-ng", "Xvfb": "xvfb"}
"""What the runs start, and the Debian package that brings it."""


def rows(duration_s: float) -> Iterator[Row]:
    """One run a row, `duration_s` each. Raises `InputError` where a program is missing."""
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    if missing:
        raise InputError(f"bench callback: needs {', '.join(missing)}; install the Debian packages of these names")
    for callback, block, load in RUNS:
        yield _row(callback, block, load, duration_s)


def _row(callback: str, block: int, load: str, duration_s: float) -> Row:
    from rtgain.bench.servers import JackServer, XDisplay  # of Linux

    with ExitStack() as stack:
        try:
            server = JackServer(period=block, synchronous=False)
            stack.callback(server.stop)
            display = XDisplay()
            stack.callback(display.stop)
        except RuntimeError as error:
            raise InputError(f"bench callback: {error}") from None
        home = stack.enter_context(tempfile.TemporaryDirectory())  # with nobody's settings in it
        environment = {
            **os.environ,
            **server.environment,
            "DISPLAY": display.name,
            "QT_QPA_PLATFORM": "xcb",
            "XDG_CONFIG_HOME": home,
            "XDG_STATE_HOME": home,
            "OMP_NUM_THREADS": "1",
        }
        stack.enter_context(_stress(STRESSORS.get(load, []), home))
        command = [sys.executable, "-m", "rtgain.bench.callback_run", callback, str(block), load, str(duration_s)]
        try:
            run = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=duration_s + START_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise InputError(
                f"bench callback: {callback} at {block} frames did not end; try a shorter --duration"
            ) from None
        if run.returncode != 0:
            reason = (run.stderr.strip() or "it said nothing").splitlines()[-1]
            raise InputError(f"bench callback: {callback} at {block} frames failed: {reason}")
    found: Row = json.loads(run.stdout.splitlines()[-1])
    return {"callback": callback, "block": block, "load": load, **found}


@contextmanager
def _stress(options: Sequence[str], folder: str) -> Iterator[None]:
    if not options:
        yield
        return
    from rtgain.bench.servers import ENDS_WITH_US  # of Linux

    command = [*ENDS_WITH_US, "stress-ng", "--quiet", "--temp-path", folder, *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as hog:
        try:
            yield
            if hog.poll() is not None:
                raise InputError(
                    f"bench callback: stress-ng {' '.join(options)} ended early; see what it says by itself"
                )
        finally:
            hog.terminate()
