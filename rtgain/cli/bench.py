"""``rtgain bench``: run benchmarks by name, print their tables, write them down."""

from collections.abc import Sequence
from pathlib import Path

from rtgain.bench import BENCHMARKS
from rtgain.errors import InputError
from rtgain.system.atomic_write import write_atomic

MEASURED_S = 60.0
"""How long `callback` measures each row."""


def run_benches(
    names: Sequence[str], inputs: Sequence[str], duration_s: float | None, json: str | None, plot: str | None
) -> int:
    """Run the benchmarks of these names, all if there are none. Raises `InputError`."""
    for name in names:
        if name not in BENCHMARKS:
            raise InputError(f"bench: {name!r} is none of {', '.join(BENCHMARKS)}")
    if json is not None and len(names) != 1:
        raise InputError("--json holds one benchmark's table; name one")
    if plot is not None and list(names) != ["tracking"]:
        raise InputError("--plot is the figure of the benchmark 'tracking'; name that one alone")
    if duration_s is not None and "callback" not in (names or BENCHMARKS):
        raise InputError("--duration is of the benchmark 'callback'; name that one too")
    if duration_s is not None and duration_s <= 0.0:
        raise InputError(f"--duration {duration_s:g} is no length to measure; give seconds above 0")
    _run(names or BENCHMARKS, inputs, duration_s or MEASURED_S, json, plot)
    return 0


def _run(names: Sequence[str], inputs: Sequence[str], duration_s: float, json: str | None, plot: str | None) -> None:
    import torch

    from rtgain.bench import accuracy, callback, gui_speed, speed, tracking
    from rtgain.bench.signals import built_in, recording
    from rtgain.bench.tables import print_table, write_json

    torch.set_num_threads(1)
    signals = [recording(Path(name)) for name in inputs] or built_in()
    for name in names:
        made, total = {
            "accuracy": lambda: (accuracy.rows(signals), len(signals) * len(accuracy.CASES) + 1),
            "tracking": lambda: (tracking.rows(signals), len(signals)),
            "speed": lambda: (speed.rows(), speed.ROWS),
            "callback": lambda: (callback.rows(duration_s), len(callback.RUNS)),
            "gui": lambda: (gui_speed.rows(), gui_speed.ROWS),
        }[name]()
        rows = print_table(name, made, total)
        if json is not None:
            write_json(Path(json), name, rows)
    if plot is not None:
        write_atomic(Path(plot), tracking.figure(signals[0], tracking.traces(signals[0])))
