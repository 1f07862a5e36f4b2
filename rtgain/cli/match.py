"""``rtgain match``: one pair from the command line, or many from a manifest."""

import os
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rtgain.cli.progress import progress
from rtgain.config.names import LevelMatchMode, ProcessorName
from rtgain.errors import InputError
from rtgain.output.output_files import STANDARD_OUTPUT, OutputPaths, write_text
from rtgain.records.equalizer_text import format_equalizer
from rtgain.system.atomic_write import check_directory_writable, write_atomic, write_error
from rtgain.system.imports import importing
from rtgain.system.shutdown_signals import InterruptHandler

_PROGRESS_STEPS = 1000


@dataclass(frozen=True)
class MatchOptions:
    """Options of the command line; None for those that are not given."""

    dry: str | None
    target: str | None
    manifest: str | None
    jobs: int | None
    cluster: str | None
    report: str | None
    start: float | None
    end: float | None
    level_match: LevelMatchMode
    processor: ProcessorName
    paths: OutputPaths


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
        if options.level_match != "off":
            raise InputError("match: --level-match is for the --record of one pair; a manifest records nothing")
        if options.jobs is not None and options.jobs < 1:
            raise InputError(f"--jobs {options.jobs}: must be at least 1")
        if options.jobs is not None and options.cluster is not None:
            raise InputError("match: give either --jobs or --cluster; a cluster has its own number of workers")
        return _match_many(options, Path(options.manifest), Path(paths.csv), interruption)
    if options.dry is None or options.target is None:
        raise InputError("match: needs two recordings; give DRY and TARGET, or --manifest PAIRS.csv")
    if any(option is not None for option in (paths.csv, options.jobs, options.cluster, options.report)):
        raise InputError(
            "match: --csv, --jobs, --cluster and --report are for --manifest; "
            "one pair is printed, or written with --json"
        )
    return _match_one(options, interruption)


def _match_many(options: MatchOptions, manifest: Path, results: Path, interruption: InterruptHandler) -> int:
    from rtgain.match.batch import OpenWorkers, match_manifest

    address = options.cluster
    open_workers: OpenWorkers
    if address is not None:
        from rtgain.match.cluster import ClusterWorkers

        open_workers = partial(ClusterWorkers, address, _print_notice)
    else:
        from rtgain.match.local_workers import LocalWorkers

        open_workers = partial(LocalWorkers, options.jobs or os.cpu_count() or 1)
    report = None if options.report is None else Path(options.report)
    if report is not None:
        _check_report(report, manifest, results)
    with progress("matching", _PROGRESS_STEPS) as update:
        return match_manifest(
            manifest,
            results,
            open_workers,
            interruption,
            on_progress=lambda done, total: update(f"matching {done}/{total}", _PROGRESS_STEPS * done // total),
            on_notice=_print_notice,
            on_written=lambda: _summarize(results, report),
        )


def _check_report(report: Path, *tables: Path) -> None:
    if report.resolve() in [table.resolve() for table in tables]:
        raise InputError(f"--report {report}: is also the manifest or the results; choose another name")
    try:
        check_directory_writable(report)
    except OSError as error:
        raise write_error(str(report), error) from None


def _summarize(results: Path, report: Path | None) -> None:
    """Print the summary of the results on standard error, and write it as a page, if one of them is wanted."""
    if report is None and not sys.stderr.isatty():
        return
    from rtgain.match.run_summary import summarize

    summary = summarize(results)
    sys.stderr.write(summary.to_text())
    if report is not None:
        from rtgain.match.run_page import run_page

        write_atomic(report, run_page(summary, results))


def _print_notice(notice: str) -> None:
    print(f"rtgain: {notice}", file=sys.stderr)


def _match_one(options: MatchOptions, interruption: InterruptHandler) -> int:
    assert options.dry is not None
    assert options.target is not None
    paths, dry, target = options.paths, Path(options.dry), Path(options.target)
    if options.level_match != "off" and paths.record is None:
        raise InputError("match: --level-match attenuates a recording; give --record FILE.wav with it")
    paths.check([str(dry), str(target)])
    with importing():
        from rtgain.match.pair import match_pair

    with progress("matching", 100) as update:
        details = match_pair(
            dry,
            target,
            None if paths.record is None else Path(paths.record),
            start=options.start,
            end=options.end,
            level_match=options.level_match,
            processor=options.processor,
            on_progress=lambda share: update("matching", round(100 * share)),
            cancelled=lambda: interruption.requested,
        )
    if details is None:
        return interruption.exit_code
    for notice in details.notices:
        _print_notice(notice)
    if paths.plot is not None:
        from rtgain.match.figure import match_figure
        from rtgain.output.figures import png

        write_atomic(Path(paths.plot), png(match_figure(details, dry, target)))
    if paths.eq_out is not None:
        if details.equalizer is None:
            raise InputError(f"--eq-out {paths.eq_out}: no equalizer was learned ({details.result.state})")
        write_text(paths.eq_out, format_equalizer(details.equalizer))
    if paths.json is not None:
        write_text(paths.json, details.result.to_json())
    if not paths.prints_text:
        from rtgain.match.report import match_report

        outputs = (paths.record, paths.plot, paths.json, paths.eq_out)
        written = [name for name in outputs if name is not None]
        write_text(STANDARD_OUTPUT, match_report(details, dry, target, written))
    return 0
