"""``rtgain match``: one pair from the command line, or many from a manifest."""

import sys
from dataclasses import dataclass
from pathlib import Path

from rtgain.cli.progress import progress, track
from rtgain.config.names import ProcessorName
from rtgain.errors import InputError
from rtgain.output.output_files import STANDARD_OUTPUT, OutputPaths
from rtgain.records.equalizer_text import format_equalizer
from rtgain.system.atomic_write import write_atomic
from rtgain.system.shutdown_signals import EXIT_INTERRUPTED, InterruptHandler


@dataclass(frozen=True)
class MatchOptions:
    """Options of the command line; None for those that are not given."""

    dry: str | None
    target: str | None
    manifest: str | None
    jobs: int | None
    start: float | None
    end: float | None
    paths: OutputPaths
    processor: ProcessorName = "gain"


def run_match(options: MatchOptions, interruption: InterruptHandler) -> int:
    """Match one pair or a manifest. Returns the exit code; raises `InputError`."""
    paths = options.paths
    if options.manifest is not None:
        if options.dry is not None:
            raise InputError("match: give either DRY and TARGET, or --manifest")
        if paths.csv is None or paths.csv == STANDARD_OUTPUT:
            raise InputError("match: --manifest needs --csv FILE for its results")
        if paths.json or paths.plot or paths.record or paths.eq_out:
            raise InputError("match: --json, --plot, --record and --eq-out are for one pair; a manifest writes --csv")
        if options.processor != "gain":
            raise InputError("match: --processor eq is for one pair; leave it out with --manifest")
        if options.start is not None or options.end is not None:
            raise InputError("match: --start and --end are for one pair; a manifest compares whole recordings")
        if options.jobs is not None and options.jobs < 1:
            raise InputError(f"--jobs {options.jobs}: must be at least 1")
        from rtgain.match.batch import match_manifest

        return match_manifest(
            Path(options.manifest),
            Path(paths.csv),
            options.jobs,
            interruption,
            track=lambda results, total: track(results, "matching", total),
        )
    if options.dry is None or options.target is None:
        raise InputError("match: needs two recordings; give DRY and TARGET, or --manifest PAIRS.csv")
    if paths.csv is not None or options.jobs is not None:
        raise InputError("match: --csv and --jobs are for --manifest; one pair is printed, or written with --json")
    return _match_one(options, interruption)


def _match_one(options: MatchOptions, interruption: InterruptHandler) -> int:
    assert options.dry is not None
    assert options.target is not None
    paths, dry, target = options.paths, Path(options.dry), Path(options.target)
    paths.check([str(dry), str(target)])
    from rtgain.match.pair import match_pair

    with progress("matching", 100) as update:
        details = match_pair(
            dry,
            target,
            None if paths.record is None else Path(paths.record),
            start=options.start,
            end=options.end,
            processor=options.processor,
            on_progress=lambda share: update("matching", round(100 * share)),
            cancelled=lambda: interruption.requested,
        )
    if details is None:
        return EXIT_INTERRUPTED
    for notice in details.notices:
        print(f"rtgain: {notice}", file=sys.stderr)
    if paths.plot is not None:
        from rtgain.match.figure import match_figure
        from rtgain.output.figures import png

        write_atomic(Path(paths.plot), png(match_figure(details, dry, target)))
    if paths.eq_out is not None:
        if details.equalizer is None:
            raise InputError(f"--eq-out {paths.eq_out}: no equalizer was learned ({details.result.state})")
        write_atomic(Path(paths.eq_out), format_equalizer(details.equalizer).encode())
    text = details.result.to_json()
    if paths.json is not None and paths.json != STANDARD_OUTPUT:
        write_atomic(Path(paths.json), text.encode())
    sys.stdout.write(text)
    sys.stdout.flush()
    return 0
