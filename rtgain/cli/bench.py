"""``rtgain bench``: run benchmarks by name, print their tables, write them to files."""

from collections.abc import Sequence
from pathlib import Path

from rtgain.bench import BENCHMARKS
from rtgain.cli.progress import track
from rtgain.errors import InputError
from rtgain.system.atomic_write import write_atomic

DEFAULT_DURATION_S = 60.0
"""Duration in seconds of each row of `callback`."""


def run_benchmarks(
    names: Sequence[str], inputs: Sequence[str], duration_s: float | None, json: str | None, plot: str | None
) -> int:
    """Run the benchmarks of these names, or all. Returns the exit code; raises `InputError`."""
    for name in names:
        if name not in BENCHMARKS:
            raise InputError(f"bench: {name!r} is not one of {', '.join(BENCHMARKS)}")
    if json is not None and len(names) != 1:
        raise InputError("--json holds the table of one benchmark; name one")
    if plot is not None and list(names) != ["tracking"]:
        raise InputError("--plot is only valid with the benchmark 'tracking'; name only that one")
    if duration_s is not None and "callback" not in (names or BENCHMARKS):
        raise InputError("--duration is only valid with the benchmark 'callback'; name it")
    if duration_s is not None and duration_s <= 0.0:
        raise InputError("--duration must be greater than 0")
    _run(names or BENCHMARKS, inputs, duration_s or DEFAULT_DURATION_S, json, plot)
    return 0


def _run(names: Sequence[str], inputs: Sequence[str], duration_s: float, json: str | None, plot: str | None) -> None:
    import torch

    from rtgain.bench import accuracy, callback, equalizer, findings, gui_speed, match, speed, tracking
    from rtgain.bench.signals import read_recording, synthetic_signals
    from rtgain.bench.tables import print_table, write_json

    torch.set_num_threads(1)
    signals = [read_recording(Path(name)) for name in inputs] or synthetic_signals()
    for name in names:
        rows, total = {
            "accuracy": lambda: (accuracy.rows(signals), accuracy.row_count(signals)),
            "tracking": lambda: (tracking.rows(signals), len(signals)),
            "findings": lambda: (findings.rows(signals), findings.row_count(signals)),
            "speed": lambda: (speed.rows(), speed.ROW_COUNT),
            "callback": lambda: (callback.rows(duration_s), len(callback.RUNS)),
            "eq": lambda: (equalizer.rows(signals), len(signals)),
            "gui": lambda: (gui_speed.rows(), gui_speed.ROW_COUNT),
            "match": lambda: (match.rows(), match.ROW_COUNT),
        }[name]()
        table = list(track(rows, name, total))
        print_table(name, table)
        if json is not None:
            write_json(Path(json), name, table)
    if plot is not None:
        write_atomic(Path(plot), tracking.figure(signals[0], tracking.runs(signals[0])))
