"""Does the window keep up? How soon it is there, how smooth its plots are, and what it takes from the estimator.

The command ``rtgain`` with all plots and a race of three, on a JACK server and a display of 1280×800 without a GPU.
"""

from collections.abc import Iterator

from rtgain.bench.environment import isolated_environment, measure, require
from rtgain.bench.tables import Row

BLOCK_FRAMES = 256
MEASURED_S = 20.0

ROWS = 7

RUN = "rtgain.bench.gui_process"


def rows(duration_s: float = MEASURED_S) -> Iterator[Row]:
    """Seven rows, of one run with a window and one without, `duration_s` each. Raises `InputError`."""
    require({"jackd": "jackd2", "Xvfb": "xvfb"})
    with isolated_environment(BLOCK_FRAMES) as environment:
        window = measure(environment, RUN, ["window"], duration_s)
        headless = measure(environment, RUN, ["headless"], duration_s)
    yield _row("command to first painted window", window["painted_s"], "s", at_most=2.0)
    yield _row("command to first estimate", window["estimate_s"], "s", at_most=6.0)
    yield _row("plots", window["frames_per_second"], "frames a second", at_least=30.0)
    yield _row("work for a frame (processor time), 95th percentile", window["frame_ms_p95"], "ms", at_most=25.0)
    yield _row("the window's thread", 100.0 * window["share"], "% of a core", at_most=60.0)
    yield _row("the gain's control to its plot, longest of 20", window["control_ms"], "ms", at_most=100.0)
    ratio = 100.0 * window["steps_per_second"] / headless["steps_per_second"]
    yield _row("estimator steps, of those without a window", ratio, "%", at_least=90.0)


def _row(what: str, value: float, unit: str, *, at_most: float | None = None, at_least: float | None = None) -> Row:
    if at_most is not None:
        return {"what": what, "value": value, "unit": unit, "to_reach": f"≤ {at_most:g}", "reached": value <= at_most}
    assert at_least is not None
    return {"what": what, "value": value, "unit": unit, "to_reach": f"≥ {at_least:g}", "reached": value >= at_least}
