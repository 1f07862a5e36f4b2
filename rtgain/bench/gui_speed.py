"""GUI benchmark: startup time, frame rate, and the GUI's load on the estimator.

It runs the command ``rtgain`` with all plots and two comparisons, on a JACK server and a display of 1280×800 without
a GPU.
"""

from collections.abc import Iterator

from rtgain.bench.environment import isolated_environment, measure, require_programs
from rtgain.bench.tables import Row

BLOCK_FRAMES = 256
MEASURED_S = 20.0

ROW_COUNT = 7

PROCESS = "rtgain.bench.gui_process"


def rows(duration_s: float = MEASURED_S) -> Iterator[Row]:
    """Measure seven rows in one run with the GUI and one without, `duration_s` each. Raises `InputError`."""
    require_programs({"jackd": "jackd2", "Xvfb": "xvfb"})
    with isolated_environment(BLOCK_FRAMES) as environment:
        gui = measure(environment, PROCESS, ["gui"], duration_s)
        headless = measure(environment, PROCESS, ["headless"], duration_s)
    yield _row("command to first painted window", gui["painted_s"], "s", at_most=2.0)
    yield _row("command to first estimate", gui["estimate_s"], "s", at_most=6.0)
    yield _row("plots", gui["frames_per_second"], "frames per second", at_least=30.0)
    yield _row("processor time per frame, 95th percentile", gui["frame_ms_p95"], "ms", at_most=25.0)
    yield _row("GUI thread", 100.0 * gui["share"], "% of a core", at_most=60.0)
    yield _row("gain slider to its plot, longest of 20", gui["control_ms"], "ms", at_most=100.0)
    ratio = 100.0 * gui["steps_per_second"] / headless["steps_per_second"]
    yield _row("estimator steps relative to a headless run", ratio, "%", at_least=90.0)


def _row(what: str, value: float, unit: str, *, at_most: float | None = None, at_least: float | None = None) -> Row:
    if at_most is not None:
        return {"what": what, "value": value, "unit": unit, "to_reach": f"≤ {at_most:g}", "reached": value <= at_most}
    assert at_least is not None
    return {"what": what, "value": value, "unit": unit, "to_reach": f"≥ {at_least:g}", "reached": value >= at_least}
