"""GUI benchmark: startup time, frame rate, and the GUI's load on the estimator.

It runs the command ``rtgain`` on a JACK server and a display of 1280×800 without a GPU: Laboratory with the demo and
two comparisons, and Compare with two recordings of pink noise.
"""

from collections.abc import Iterator
from compileall import compile_dir
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from rtgain.bench.environment import isolated_environment, measure, require_programs
from rtgain.bench.gui_recordings import write_recordings
from rtgain.bench.tables import Row
from rtgain.errors import InputError

BLOCK_FRAMES = 256
MEASURED_S = 20.0

WORKSPACES = ("laboratory", "compare")
ROW_COUNT = 13

PROCESS = "rtgain.bench.gui_process"


def rows(duration_s: float = MEASURED_S) -> Iterator[Row]:
    """Measure five rows per workspace, and three more, in three runs of `duration_s`. Raises `InputError`."""
    require_programs({"jackd": "jackd2", "Xvfb": "xvfb"})
    if find_spec("jack") is None:
        raise InputError("bench: gui measures the sound with JACK-Client; pip install 'rtgain[bench]'")
    for package in ("rtgain", "gui"):  # an installed package is compiled, a checkout may not be
        (folder,) = import_module(package).__path__
        compile_dir(folder, quiet=2)
    with isolated_environment(BLOCK_FRAMES) as environment:
        write_recordings(Path(environment["HOME"]))
        runs = {workspace: measure(environment, PROCESS, [workspace], duration_s) for workspace in WORKSPACES}
        headless = measure(environment, PROCESS, ["headless"], duration_s)
    for workspace, run in runs.items():
        where = workspace.capitalize()
        yield _row(f"{where}: command to first painted window", run["painted_s"], "s", at_most=2.0)
        yield _row(f"{where}: command to first estimate", run["estimate_s"], "s", at_most=6.0)
        yield _row(f"{where}: plots", run["frames_per_second"], "frames per second", at_least=30.0)
        yield _row(f"{where}: processor time per frame, 95th percentile", run["frame_ms_p95"], "ms", at_most=25.0)
        yield _row(f"{where}: GUI thread", 100.0 * run["share"], "% of a core", at_most=60.0)
    laboratory, compare = (runs[workspace] for workspace in WORKSPACES)
    yield _row("Laboratory: gain slider to its plot, longest of 20", laboratory["response_ms"], "ms", at_most=100.0)
    yield _row("Compare: key to its sound, longest of 20", compare["response_ms"], "ms", at_most=50.0)
    ratio = 100.0 * laboratory["steps_per_second"] / headless["steps_per_second"]
    yield _row("Laboratory: estimator steps relative to a headless run", ratio, "%", at_least=90.0)


def _row(what: str, value: float, unit: str, *, at_most: float | None = None, at_least: float | None = None) -> Row:
    if at_most is not None:
        return {"what": what, "value": value, "unit": unit, "to_reach": f"≤ {at_most:g}", "reached": value <= at_most}
    assert at_least is not None
    return {"what": what, "value": value, "unit": unit, "to_reach": f"≥ {at_least:g}", "reached": value >= at_least}
