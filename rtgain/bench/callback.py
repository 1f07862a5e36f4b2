"""Does the sound hold? Xruns and callback time beside the full window and the optimizer, on a real JACK server.

The same session, window and kernel run under three callbacks (see `rtgain.bench.callback_process`), on servers
that do not wait for anybody, at three block lengths, and at the shortest one under loads.
"""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rtgain.bench.environment import isolated_environment, measure, require
from rtgain.bench.tables import Row
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

PROGRAMS = {"jackd": "jackd2", "stress-ng": "stress-ng", "Xvfb": "xvfb"}
"""What the runs start, and the Debian package that brings it."""


def rows(duration_s: float) -> Iterator[Row]:
    """One run a row, `duration_s` each. Raises `InputError` where a program is missing."""
    require(PROGRAMS)
    for callback, block, load in RUNS:
        yield _row(callback, block, load, duration_s)


def _row(callback: str, block: int, load: str, duration_s: float) -> Row:
    with isolated_environment(block) as environment, _stress(STRESSORS.get(load, []), environment["HOME"]):
        found = measure(environment, "rtgain.bench.callback_process", [callback, str(block), load], duration_s)
    return {"callback": callback, "block": block, "load": load, **found}


@contextmanager
def _stress(options: Sequence[str], folder: str) -> Iterator[None]:
    if not options:
        yield
        return
    from rtgain.bench.servers import EXIT_WITH_PARENT  # of Linux

    command = [*EXIT_WITH_PARENT, "stress-ng", "--quiet", "--temp-path", folder, *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as hog:
        try:
            yield
            if hog.poll() is not None:
                raise InputError(f"bench: stress-ng {' '.join(options)} ended early; see what it says by itself")
        finally:
            hog.terminate()
