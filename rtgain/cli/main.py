"""Command line: parser and dispatch. The commands are imported on demand."""

import argparse
import math
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn

from rtgain import __version__
from rtgain.config.names import (
    CHANNEL_COUNTS,
    CLOCKS,
    DEFAULT_GAIN,
    DEFAULT_GAIN_DB,
    DEFAULT_HOP_MS,
    DEFAULT_LOSS,
    DEFAULT_OPTIMIZER,
    DEFAULT_WINDOW_MS,
    LEVEL_MATCHES,
    MONITORS,
    OPTIMIZERS,
    POLARITIES,
    PROCESSORS,
    SWITCHES,
    SYNTHETIC_INPUTS,
    TARGETS,
)
from rtgain.errors import InputError, RtgainError
from rtgain.number_format import plain_number
from rtgain.system.imports import importing
from rtgain.system.program_exit import run_program
from rtgain.system.shutdown_signals import InterruptHandler, exit_code

LEVEL_MATCH_HELP = "attenuate the louder of dry and target, by the gain or by the loudness"

COMMANDS = ("run", "match", "lesson", "devices", "bench")


def program() -> int:
    """Run the command of this process: the entry point of ``rtgain``. Returns the exit code, as `main`."""
    return run_program(main)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, 2 (invalid input), 3 (device), 128 + n (signal n)."""
    _replace_closed_streams()
    try:
        with _standard_output():
            return _run(list(sys.argv[1:] if arguments is None else arguments))
    except RtgainError as error:
        print(f"rtgain: {_one_line(str(error))}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as interruption:
        return exit_code(*interruption.args)
    except BrokenPipeError:
        return 0  # the reading end of the pipe is closed (EPIPE): this is not an error


def _replace_closed_streams() -> None:
    """Replace closed standard streams (``>&-``), which Python represents by None, with the null device."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115


@contextmanager
def _standard_output() -> Iterator[None]:
    """Flush standard output at the end, while an error can still be reported.

    Raises `InputError` if its disk is full, `BrokenPipeError` if the reading end of its pipe is closed (EPIPE).
    """
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
        except OSError as error:
            # The unwritten text is still buffered, and Python would report the error again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            from rtgain.system.atomic_write import write_error

            raise write_error("standard output", error) from None


def _run(words: list[str]) -> int:
    target_files: list[str] = []
    if _names_recordings(words):
        target_files = list(takewhile(lambda word: not word.startswith("-"), words[1:]))
        words = ["run", "--input", words[0], "--target", target_files[0], *words[1 + len(target_files) :]]
    elif not words or (words[0] not in COMMANDS and words[0] not in ("-h", "--help", "--version")):
        words = ["run", *words] if not words or words[0].startswith("-") else words
    options = build_parser().parse_args(words)
    if options.command == "devices":
        from rtgain.cli.devices import print_devices

        return print_devices(as_json=options.json)
    if options.command == "match":
        return _match(options)
    if options.command == "lesson":
        from rtgain.cli.lesson import run_lessons

        return run_lessons(options.name, options.export, options.seed)
    if options.command == "bench":
        from rtgain.cli.bench import run_benchmarks

        return run_benchmarks(options.names, options.input, options.duration, options.json, options.plot)
    if len(target_files) > 1:
        if options.headless:
            raise InputError("run: several targets are for the window; give one with --headless")
        options.target_files = tuple(target_files)
    if options.headless:
        interruption = InterruptHandler()  # before the imports, which can swallow the exception of Ctrl-C
        config, paths = parse_session(options)
        from rtgain.session.startup import load_estimator

        load_estimator(config, headless=True)
        with importing():
            from rtgain.cli.run import run_headless

        return run_headless(config, paths, interruption)
    config, paths = parse_session(options)
    if any((paths.csv, paths.json, paths.plot, paths.record, paths.eq_out)):
        raise InputError("--csv, --json, --plot, --record and --eq-out are only valid with --headless; add it")
    from rtgain.session.startup import load_estimator

    load_estimator(config, headless=False)
    with importing():
        from gui.app import run

    return run(config)


def _names_recordings(words: list[str]) -> bool:
    """Return True for ``rtgain DRY TARGET …``: the first of two words looks like a file and not like a command."""
    if len(words) < 2 or words[0] in COMMANDS or words[0].startswith("-") or words[1].startswith("-"):
        return False
    return bool(Path(words[0]).suffix) or os.sep in words[0] or os.path.exists(words[0])  # noqa: PTH110 (long names)


class Parser(argparse.ArgumentParser):
    """Parser that reports errors in one line, as `InputError`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)
        # Otherwise argparse would parse "-1e-3" as an option.
        self._negative_number_matcher = re.compile(r"^-(\d+[.,]?\d*|[.,]\d+)([eE][-+]?\d+)?$")

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see {self.prog} --help")


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = Parser(
        prog="rtgain",
        description="Estimate the gain between two signals live, by gradient descent on a spectral loss.",
    )
    parser.add_argument("--version", action="version", version=f"rtgain {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_run(commands.add_parser("run", help="open the GUI, or run a session without it (--headless)"))
    _add_match(commands.add_parser("match", help="compare two recordings, or many pairs: gain, delay, polarity"))
    lesson = commands.add_parser("lesson", help="list the lessons, or run one")
    lesson.add_argument("name", nargs="?", metavar="NAME", help="name or number of a lesson (default: list them)")
    lesson.add_argument(
        "--export", metavar="DIR", help="write figures, sounds, a page and a notebook; of all lessons without NAME"
    )
    lesson.add_argument("--seed", type=_integer, default=0, metavar="N", help="random seed (default: 0)")
    devices = commands.add_parser("devices", help="list the audio devices")
    devices.add_argument("--json", action="store_true", help="print JSON")
    bench = commands.add_parser("bench", help="run the benchmarks")
    bench.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="accuracy, tracking, findings, speed, callback, eq, gui, match (default: all)",
    )
    bench.add_argument("--json", metavar="FILE", help="write the table of one benchmark as JSON")
    bench.add_argument("--duration", type=_number, metavar="S", help="seconds per row of 'callback' (default: 60)")
    bench.add_argument("--plot", metavar="FILE.png", help="write the figure of 'tracking'")
    bench.add_argument(
        "--input", action="append", default=[], metavar="FILE", help="recording to measure on; may be repeated"
    )
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--headless", action="store_true", help="run without the GUI")
    option = parser.add_argument_group("session").add_argument
    option("--input", metavar="NAME|FILE", help=f"mic, {', '.join(SYNTHETIC_INPUTS)}, or a sound file (default: demo)")
    option("--input-device", metavar="DEVICE", help="index or part of a name (default: system default)")
    option("--output-device", metavar="DEVICE", help="index or part of a name (default: system default)")
    option("--clock", choices=CLOCKS, help="sound card, real time without one, or as fast as possible")
    option("--block", type=_integer, metavar="FRAMES", help="frames per callback (default: chosen by the device)")
    option("--sample-rate", type=_integer, metavar="HZ", help="default: that of the file or the device")
    option("--duration", type=_number, metavar="S", help="stop after this many seconds of audio")
    option("--start", type=_number, metavar="S", help="begin at this time of the file")
    option("--end", type=_number, metavar="S", help="end at this time of the file")
    option("--loop", action="store_true", default=None, help="repeat the file, or its part from --start to --end")
    option(
        "--channels",
        type=_channel_count,
        choices=CHANNEL_COUNTS,
        help="mono or stereo (default: stereo for demo and for a file of two or more channels)",
    )
    option(
        "--target",
        metavar="NAME|FILE",
        help=f"{', '.join(TARGETS)} (path, other channels, or an input that the target is from), or a second recording",
    )
    option(
        "--dry-channel",
        type=_channels,
        metavar="N[,N]",
        help="dry channel, or two as 1,2 (default: the first)",
    )
    option(
        "--target-channel",
        type=_channels,
        metavar="N[,N]",
        help="for --target channel (default: 2, or 3,4) or return (default: 1, or 1,2)",
    )
    option(
        "--output-channel",
        type=_channels,
        metavar="N[,N]",
        help="output channels for --target return (default: 1 and 2)",
    )
    option("--monitor", choices=MONITORS, help="signal sent to the outputs")
    option("--level-match", choices=LEVEL_MATCHES, help=f"{LEVEL_MATCH_HELP} (default: off)")
    option("--seed", type=_integer, metavar="N", help="random seed (default: 0)")
    option("--preset", metavar="FILE", help="saved session; command-line options override it")
    option = parser.add_argument_group("reference path").add_argument
    option("--gain-db", type=_number, metavar="DB", help=f"reference gain (default: {DEFAULT_GAIN_DB:.2f} dB)")
    option(
        "--gain",
        type=_number,
        metavar="X",
        help=f"the same, linear (default: {DEFAULT_GAIN:g}); negative inverts",
    )
    option("--automation", metavar="CSV", help="gain over time: rows of time_s,gain_db")
    option("--polarity", choices=POLARITIES, help="polarity of the target")
    option("--phase-deg", type=_number, metavar="DEG", help="phase rotation")
    option("--delay-ms", type=_number, metavar="MS", help="delay, with fractions of a frame")
    option("--noise-dbfs", type=_number, metavar="DB", help="RMS level of white noise added to the target")
    option("--eq", metavar="FILE", help="equalizer, as text of Equalizer APO or AutoEq")
    option = parser.add_argument_group("estimator (times are rounded to powers of two of frames)").add_argument
    option("--processor", choices=PROCESSORS, help="learn a gain, or an equalizer of a gain and six filters")
    option("--loss", metavar="NAME", help=f"loss to minimize (default: {DEFAULT_LOSS})")
    option("--optimizer", metavar="NAME", help=f"torch optimizer (default: {DEFAULT_OPTIMIZER})")
    option("--lr", type=_number, metavar="RATE", help="learning rate (default: tuned per optimizer)")
    option("--steps", type=_integer, metavar="N", help="maximum steps per hop")
    option(
        "--window-ms",
        type=_number,
        metavar="MS",
        help=f"analysis window (default: {DEFAULT_WINDOW_MS:g})",
    )
    option(
        "--hop-ms",
        type=_number,
        metavar="MS",
        help=f"time between windows (default: {DEFAULT_HOP_MS:g})",
    )
    option("--align", choices=SWITCHES, help="compensate the delay (default: on)")
    option = parser.add_argument_group("outputs (- is standard output)").add_argument
    option("--csv", metavar="FILE", help="one row per estimate")
    option("--json", metavar="FILE", help="result as one object")
    option("--plot", metavar="FILE.png", help="figure of the gain over time")
    option("--record", metavar="FILE.wav", help="matched signal")
    option("--eq-out", metavar="FILE.txt", help="learned equalizer, as text")


def _add_match(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dry", nargs="?", metavar="DRY", help="dry recording")
    parser.add_argument("target", nargs="?", metavar="TARGET", help="the same sound with another gain and delay")
    parser.add_argument("--json", metavar="FILE", help="also write the printed result to a file")
    parser.add_argument("--record", metavar="FILE.wav", help="matched signal")
    parser.add_argument(
        "--level-match", choices=LEVEL_MATCHES, default="off", help=f"with --record: {LEVEL_MATCH_HELP} (default: off)"
    )
    parser.add_argument("--plot", metavar="FILE.png", help="figure of gain over time, spectra and difference")
    parser.add_argument("--processor", choices=PROCESSORS, default="gain", help="learn a gain, or an equalizer too")
    parser.add_argument("--eq-out", metavar="FILE.txt", help="learned equalizer, as text")
    parser.add_argument("--start", type=_number, metavar="S", help="begin at this time of the dry recording")
    parser.add_argument("--end", type=_number, metavar="S", help="end at this time of the dry recording")
    parser.add_argument("--manifest", metavar="PAIRS.csv", help="many pairs: columns dry,target; others are copied")
    parser.add_argument("--csv", metavar="RESULTS.csv", help="with --manifest: one row per pair; resumes")
    parser.add_argument("--jobs", type=_integer, metavar="N", help="with --manifest: processes (default: cores)")
    parser.add_argument("--report", metavar="FILE.html", help="with --manifest: page about all results")
    parser.add_argument("--cluster", metavar="ADDRESS", help="with --manifest: Dask scheduler, as tcp://HOST:8786")


def _match(options: argparse.Namespace) -> int:
    interruption = InterruptHandler()
    from rtgain.cli.match import MatchOptions, run_match
    from rtgain.output.output_files import OutputPaths

    paths = OutputPaths(options.csv, options.json, options.plot, options.record, options.eq_out)
    _check_equalizer_output(paths, options.processor)
    names = ("dry", "target", "manifest", "jobs", "cluster", "report", "start", "end", "level_match", "processor")
    given = {name: getattr(options, name) for name in names}
    return run_match(MatchOptions(**given, paths=paths), interruption)


def _check_equalizer_output(paths: Any, processor: str) -> None:
    """Raise `InputError` for ``--eq-out`` of a processor that learns no equalizer."""
    if paths.eq_out is not None and processor != "eq":
        raise InputError("--eq-out: there is no learned equalizer without --processor eq; add it")


def parse_session(options: argparse.Namespace) -> tuple[Any, Any]:
    """Return the `SessionConfig` and the `OutputPaths` for the options of ``rtgain run``. Raises `InputError`."""
    from rtgain.config.presets import load_preset
    from rtgain.config.session_config import SessionConfig, make_session_config
    from rtgain.output.output_files import OutputPaths

    given = {name: value for name, value in vars(options).items() if value is not None}
    values: dict[str, Any] = {}
    if options.preset is not None:  # it sets all options, also those that the GUI has remembered
        values = make_session_config(**load_preset(Path(options.preset))).model_dump()
    values |= {name: given[name] for name in SessionConfig.model_fields if name in given}
    if "target" in given:
        values["target_files"] = given.get("target_files", ())
    if options.gain is not None:
        if options.gain_db is not None:
            raise InputError("--gain and --gain-db both set the reference gain; give one of them")
        values |= _linear_gain(options.gain, values.get("polarity", "normal"))
    if "optimizer" in values:
        values["optimizer"] = _optimizer_name(values["optimizer"])
    paths = OutputPaths(options.csv, options.json, options.plot, options.record, options.eq_out)
    config = make_session_config(**values)
    _check_equalizer_output(paths, config.processor)
    return config, paths


def _linear_gain(gain: float, polarity: str) -> dict[str, Any]:
    """Convert a linear gain to dB and polarity; a negative gain inverts `polarity`."""
    if gain == 0.0:
        raise InputError("--gain 0 mutes the target; a gain cannot be estimated from silence, so use another")
    opposite = {"normal": "invert", "invert": "normal"}
    return {
        "gain_db": 20.0 * math.log10(abs(gain)),
        "polarity": opposite[polarity] if gain < 0.0 else polarity,
    }


def _optimizer_name(name: str) -> str:
    """Return the spelling of torch, if there is such an optimizer."""
    return next((optimizer for optimizer in OPTIMIZERS if optimizer.lower() == name.lower()), name)


def _number(text: str) -> float:
    try:
        value = float(plain_number(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def _channel_count(text: str) -> int | str:
    return {"1": 1, "2": 2}.get(text, text)


def _channels(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a channel number, or two as 1,2") from None


def _one_line(message: str) -> str:
    return " ".join(message.split())
