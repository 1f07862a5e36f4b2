"""Callback benchmark: xruns and callback time next to the whole GUI and the optimizer, on a real JACK server.

The same session, GUI and kernel run under three callbacks (`rtgain.bench.callback_process`), on asynchronous servers,
with three block lengths, and with the shortest one also under load. rtgain's own callback also runs with an equalizer
that is learned.
"""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rtgain.bench.environment import isolated_environment, measure, require_programs
from rtgain.bench.tables import Row
from rtgain.errors import InputError

CALLBACKS = ("python-thread", "python-process", "compiled")
BLOCKS = (64, 128, 256)

STRESSORS = {"cpu": ["--cpu", "1"], "disk": ["--hdd", "1", "--hdd-bytes", "64m"]}
"""Options of stress-ng per load; the loads `gc` and `eq` are made in the GUI process."""

LOADS = ("gc", *STRESSORS)

RUNS = (
    *((callback, block, "none") for block in BLOCKS for callback in CALLBACKS),
    *(("compiled", block, "eq") for block in BLOCKS),
    *((callback, BLOCKS[0], load) for load in LOADS for callback in CALLBACKS),
)

PROGRAMS = {"jackd": "jackd2", "stress-ng": "stress-ng", "Xvfb": "xvfb"}
"""Programs that the runs start, with their Debian packages."""


def rows(duration_s: float) -> Iterator[Row]:
    """Measure one row per run, `duration_s` each. Raises `InputError` if a program is missing."""
    require_programs(PROGRAMS)
    for callback, block, load in RUNS:
        yield measure_run(callback, block, load, duration_s)


def measure_run(callback: str, block: int, load: str, duration_s: float) -> Row:
    """Measure one run. Raises `InputError` if it fails."""
    with isolated_environment(block) as environment, _stress(STRESSORS.get(load, []), environment["HOME"]):
        measured = measure(environment, "rtgain.bench.callback_process", [callback, str(block), load], duration_s)
    return {"callback": callback, "block": block, "load": load, **measured}


@contextmanager
def _stress(options: Sequence[str], folder: str) -> Iterator[None]:
    if not options:
        yield
        return
    from rtgain.bench.servers import EXIT_WITH_PARENT  # Linux only

    command = [*EXIT_WITH_PARENT, "stress-ng", "--quiet", "--temp-path", folder, *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as stressor:
        try:
            yield
            if stressor.poll() is not None:
                raise InputError(f"bench: stress-ng {' '.join(options)} ended early; run it alone to see its message")
        finally:
            stressor.terminate()
