"""``rtgain match``: one pair from the command line, or many from a manifest."""

import sys
from dataclasses import dataclass
from pathlib import Path

from rtgain.errors import InputError
from rtgain.output.output_files import STANDARD_OUTPUT, OutputPaths
from rtgain.system.atomic_write import write_atomic
from rtgain.system.shutdown_signals import InterruptHandler


@dataclass(frozen=True)
class MatchOptions:
    """What the command line said; None for what it did not."""

    dry: str | None
    target: str | None
    manifest: str | None
    jobs: int | None
    paths: OutputPaths


def run_match(options: MatchOptions, interruption: InterruptHandler) -> int:
    """Match one pair or a manifest; the exit code. Raises `InputError`."""
    paths = options.paths
    if options.manifest is not None:
        if options.dry is not None:
            raise InputError("match: either DRY and TARGET, or --manifest; not both")
        if paths.csv is None or paths.csv == STANDARD_OUTPUT:
            raise InputError("match: --manifest needs --csv FILE for its results")
        if paths.json or paths.plot or paths.record:
            raise InputError("match: --json, --plot and --record are for one pair; a manifest writes --csv")
        if options.jobs is not None and options.jobs < 1:
            raise InputError(f"--jobs {options.jobs}: at least one is needed")
        from rtgain.match.batch import match_manifest

        return match_manifest(Path(options.manifest), Path(paths.csv), options.jobs, interruption)
    if options.dry is None or options.target is None:
        raise InputError("match: two recordings are needed, DRY and TARGET; or --manifest PAIRS.csv")
    if paths.csv is not None or options.jobs is not None:
        raise InputError("match: --csv and --jobs go with --manifest; one pair is printed, or written with --json")
    return _match_one(Path(options.dry), Path(options.target), paths)


def _match_one(dry: Path, target: Path, paths: OutputPaths) -> int:
    paths.check([str(dry), str(target)])
    from rtgain.match.pair import match_pair

    record = None if paths.record is None else Path(paths.record)
    matching = match_pair(dry, target, record)
    if paths.plot is not None:
        from rtgain.match.figure import match_figure
        from rtgain.output.figures import png

        write_atomic(Path(paths.plot), png(match_figure(matching, dry, target)))
    text = matching.match.to_json()
    if paths.json is not None and paths.json != STANDARD_OUTPUT:
        write_atomic(Path(paths.json), text.encode())
    sys.stdout.write(text)
    sys.stdout.flush()
    return 0
