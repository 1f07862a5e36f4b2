"""The command line: words in, exit codes out. What the commands do is elsewhere, imported when it is needed."""

import argparse
import json
import math
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from rtgain import __version__
from rtgain.errors import InputError, RtgainError
from rtgain.system.shutdown_signals import EXIT_INTERRUPTED, InterruptHandler

COMMANDS = ("run", "match", "lesson", "devices", "bench")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, 2 (wrong input), 3 (device), 130 (interrupted)."""
    _replace_closed_streams()
    try:
        with _standard_output():
            return _run(list(sys.argv[1:] if arguments is None else arguments))
    except RtgainError as error:
        print(f"rtgain: {_one_line(str(error))}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return 0  # whoever read our output has gone, and wants no more of it


def _replace_closed_streams() -> None:
    """Let what is written to a closed standard stream (``>&-``) go nowhere; Python has None in its place."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115


@contextmanager
def _standard_output() -> Iterator[None]:
    """Write out what is left for standard output while it can still be told that this failed.

    Raises `InputError` when its disk is full, `BrokenPipeError` when its reader has gone.
    """
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
        except OSError as error:
            # What could not be written is still there, and Python would complain once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            from rtgain.system.atomic_write import write_error

            raise write_error("standard output", error) from None


def _run(words: list[str]) -> int:
    if not words or (words[0] not in COMMANDS and words[0] not in ("-h", "--help", "--version")):
        words = ["run", *words] if not words or words[0].startswith("-") else words
    options = build_parser().parse_args(words)
    if options.command == "devices":
        return _devices(as_json=options.json)
    if options.command == "match":
        return _match(options)
    if options.command == "lesson":
        from rtgain.cli.lesson import run_lessons

        return run_lessons(options.name, options.export, options.seed)
    if options.command == "bench":
        from rtgain.cli.bench import run_benches

        return run_benches(options.names, options.input, options.duration, options.json, options.plot)
    if options.headless:
        interruption = InterruptHandler()  # before imports, where an exception of Ctrl-C can be lost
        config, paths = parse_session(options)
        from rtgain.cli.run import run_headless

        return run_headless(config, paths, interruption)
    config, paths = parse_session(options)
    if any((paths.csv, paths.json, paths.plot, paths.record)):
        raise InputError("--csv, --json, --plot and --record are for a run without a window; add --headless")
    from gui.app import run

    return run(config)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)
        # argparse takes "-1e-3" for an option otherwise.
        self._negative_number_matcher = re.compile(r"^-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see {self.prog} --help")


def build_parser() -> argparse.ArgumentParser:
    """The parser for every command."""
    parser = Parser(
        prog="rtgain",
        description="Match the gain of two sounds, live, by gradient descent on a spectral loss.",
    )
    parser.add_argument("--version", action="version", version=f"rtgain {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_run(commands.add_parser("run", help="open the desktop app, or run a session without a window (--headless)"))
    _add_match(commands.add_parser("match", help="gain, delay and polarity between two recordings, or many pairs"))
    lesson = commands.add_parser("lesson", help="list the lessons, or run one")
    lesson.add_argument("name", nargs="?", metavar="NAME", help="a lesson's name or number (default: list them)")
    lesson.add_argument("--export", metavar="DIR", help="write figures, animation, sounds and a page; all without NAME")
    lesson.add_argument("--seed", type=_integer, default=0, metavar="N", help="makes everything random repeatable")
    devices = commands.add_parser("devices", help="list the audio devices")
    devices.add_argument("--json", action="store_true", help="as JSON")
    bench = commands.add_parser("bench", help="measure accuracy, tracking, speed, callback, gui")
    bench.add_argument(
        "names", nargs="*", metavar="NAME", help="accuracy, tracking, speed, callback, gui (default: all)"
    )
    bench.add_argument("--json", metavar="FILE", help="write the table of one benchmark")
    bench.add_argument("--duration", type=_number, metavar="S", help="of each row of 'callback' (default: 60)")
    bench.add_argument("--plot", metavar="FILE.png", help="write the figure of 'tracking'")
    bench.add_argument(
        "--input", action="append", default=[], metavar="FILE", help="a recording to measure on; may be repeated"
    )
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--headless", action="store_true", help="run without a window")
    session = parser.add_argument_group("session")
    option = session.add_argument
    option("--input", metavar="NAME|FILE", help="mic, demo, sine, pink, or a sound file (default: demo)")
    option("--input-device", metavar="DEVICE", help="index, or part of a name (default: the system's)")
    option("--output-device", metavar="DEVICE", help="index, or part of a name (default: the system's)")
    option("--clock", choices=("device", "timer", "offline"), help="what drives the session")
    option("--block", type=_integer, metavar="FRAMES", help="frames a callback (default: the device's choice)")
    option("--sample-rate", type=_integer, metavar="HZ", help="default: the file's own, or the device's")
    option("--duration", type=_number, metavar="S", help="stop after this many seconds")
    option("--loop", action="store_true", default=None, help="repeat the file")
    option("--target", choices=("reference", "channel", "return"), help="where the target comes from")
    option("--dry-channel", type=_integer, metavar="N", help="of a file or mic (default: 1; a file's mean of all)")
    option("--target-channel", type=_integer, metavar="N", help="for --target channel or return (default: 2, or 1)")
    option("--output-channel", type=_integer, metavar="N", help="that plays, for --target return (default: 1 and 2)")
    option("--monitor", choices=("dry", "target", "matched", "difference", "mute"), help="what is played")
    option("--seed", type=_integer, metavar="N", help="makes everything random repeatable (default: 0)")
    option("--preset", metavar="FILE", help="a saved session; options given beside it win")
    option = parser.add_argument_group("reference path").add_argument
    option("--gain-db", type=_number, metavar="DB", help="reference gain (default: 0.15 linear, -16.48 dB)")
    option("--gain", type=_number, metavar="X", help="reference gain, linear; a negative one inverts")
    option("--automation", metavar="CSV", help="rows of time_s,gain_db")
    option("--polarity", choices=("normal", "invert"))
    option("--phase-deg", type=_number, metavar="DEG", help="phase rotation")
    option("--delay-ms", type=_number, metavar="MS", help="delay, fractions of a frame too")
    option("--noise-dbfs", type=_number, metavar="DB", help="RMS level of white noise added to the target")
    option = parser.add_argument_group("estimator").add_argument
    option("--loss", metavar="NAME", help="what is minimized (default: spectral)")
    option("--optimizer", metavar="NAME", help="a torch optimizer (default: Rprop)")
    option("--lr", type=_number, metavar="RATE", help="its rate (default: measured for each)")
    option("--steps", type=_integer, metavar="N", help="the most steps a hop")
    option("--window-ms", type=_number, metavar="MS", help="default: 85, rounded to a power of two of frames")
    option("--hop-ms", type=_number, metavar="MS", help="default: 21, rounded likewise")
    option("--align", choices=("on", "off"), help="find and remove the delay first (default: on)")
    option = parser.add_argument_group("outputs (- is standard output)").add_argument
    option("--csv", metavar="FILE", help="one row an estimate")
    option("--json", metavar="FILE", help="the result as one object")
    option("--plot", metavar="FILE.png", help="the gain over time, as a figure")
    option("--record", metavar="FILE.wav", help="the matched signal")


def _add_match(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dry", nargs="?", metavar="DRY", help="a recording")
    parser.add_argument("target", nargs="?", metavar="TARGET", help="the same at another level, earlier or later")
    parser.add_argument("--json", metavar="FILE", help="write the result, which is printed, to a file too")
    parser.add_argument("--record", metavar="FILE.wav", help="DRY, matched to TARGET")
    parser.add_argument("--plot", metavar="FILE.png", help="gain over time, spectra and difference, as a figure")
    parser.add_argument("--manifest", metavar="PAIRS.csv", help="many pairs: columns dry,target; others are kept")
    parser.add_argument("--csv", metavar="RESULTS.csv", help="with --manifest: one row a pair; pairs in it are done")
    parser.add_argument("--jobs", type=_integer, metavar="N", help="with --manifest: pairs at a time (default: cores)")


def _match(options: argparse.Namespace) -> int:
    interruption = InterruptHandler()
    from rtgain.cli.match import MatchOptions, run_match
    from rtgain.output.output_files import OutputPaths

    paths = OutputPaths(csv=options.csv, json=options.json, plot=options.plot, record=options.record)
    pair = MatchOptions(options.dry, options.target, options.manifest, options.jobs, paths)
    return run_match(pair, interruption)


def parse_session(options: argparse.Namespace) -> tuple[Any, Any]:
    """The session and the outputs that the options of ``rtgain run`` describe. Raises `InputError`."""
    from rtgain.config.presets import load_preset
    from rtgain.config.session_config import SessionConfig, make_session_config
    from rtgain.output.output_files import OutputPaths

    given = {name: value for name, value in vars(options).items() if value is not None}
    values: dict[str, Any] = {}
    if options.preset is not None:  # it sets all options: nothing that the window remembers mixes in
        values = make_session_config(**load_preset(Path(options.preset))).model_dump()
    values |= {name: given[name] for name in SessionConfig.model_fields if name in given}
    if options.gain is not None:
        if options.gain_db is not None:
            raise InputError("--gain and --gain-db both set the reference gain; give one of them")
        values |= _linear_gain(options.gain, values.get("polarity", "normal"))
    if "optimizer" in values:
        values["optimizer"] = _optimizer_name(values["optimizer"])
    paths = OutputPaths(csv=options.csv, json=options.json, plot=options.plot, record=options.record)
    return make_session_config(**values), paths


def _linear_gain(gain: float, polarity: str) -> dict[str, Any]:
    """A linear gain as decibels and polarity; a negative one turns the polarity over."""
    if gain == 0.0:
        raise InputError("--gain 0 mutes the target, and no gain can be told from silence; use another")
    turned = {"normal": "invert", "invert": "normal"}
    return {
        "gain_db": 20.0 * math.log10(abs(gain)),
        "polarity": turned[polarity] if gain < 0.0 else polarity,
    }


def _optimizer_name(name: str) -> str:
    from rtgain.config.names import OPTIMIZERS

    return next((known for known in OPTIMIZERS if known.lower() == name.lower()), name)


def _devices(*, as_json: bool) -> int:
    from dataclasses import asdict

    from rtgain.audio.io.devices import list_devices

    found = list_devices()
    if as_json:
        print(json.dumps([asdict(device) for device in found], indent=2))
        return 0
    print(f"{'index':>5}  {'in':>3}  {'out':>3}  {'rate':>6}  {'host API':<20}  name")
    for device in found:
        print(
            f"{device.index:>5}  {device.input_channels:>3}  {device.output_channels:>3}  "
            f"{device.default_sample_rate:>6.0f}  {device.host_api:<20}  {device.name}"
        )
    if not found:
        print("none; files and synthetic sources play without one")
    return 0


def _number(text: str) -> float:
    try:
        value = float(text)
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


def _one_line(message: str) -> str:
    return " ".join(message.split())
