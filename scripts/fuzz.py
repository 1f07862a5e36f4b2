"""Fuzz the inputs of rtgain: sounds, presets, automations, equalizers, manifests, and its command line.

`python scripts/fuzz.py --minutes 60` generates files and commands (Hypothesis), and runs each in its own process. It
ends at the first that gives a traceback, more than one line, a hang, more than 500 MB, or a file that the command does
not name. The smallest such example is then in the folder that it prints.
"""

import argparse
import contextlib
import json
import math
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import soundfile
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from rtgain.cli.main import build_parser
from rtgain.config.session_config import SessionConfig
from tests.encoded_files import encode

HANG_S = 90.0
MEMORY_MB = 500
EXAMPLES = 20
"""Examples of each kind in a round."""

RATE = 16_000
OUTPUTS = ["--csv", "t.csv", "--json", "s.json", "--record", "m.wav"]


@dataclass(frozen=True)
class Example:
    """Arguments of ``rtgain``, and the existing files by name."""

    words: list[str]
    files: dict[str, bytes]


@dataclass(frozen=True)
class Result:
    """Result of an example. `code` is negative after a signal, and None after a timeout."""

    code: int | None
    errors: str
    remaining: dict[str, bytes]
    """Files that exist afterwards."""
    peak_mb: float


# --- examples -----------------------------------------------------------------------------------------


def sound(container: str, subtype: str, frames: int = 4000) -> bytes:
    """Make a file with a quarter of a second of noise."""
    samples = 0.1 * np.random.default_rng(0).standard_normal(frames)
    buffer = BytesIO()
    soundfile.write(buffer, samples.astype(np.float32), RATE, format=container, subtype=subtype)
    return buffer.getvalue()


def encoded(name: str) -> bytes:
    """Make a file with half a second of noise at 48 kHz, which every encoder takes, in the format of the name."""
    samples = 0.1 * np.random.default_rng(0).standard_normal(24_000)
    with tempfile.TemporaryDirectory() as folder:
        return encode(Path(folder) / name, samples, 48_000).read_bytes()


GOOD = sound("WAV", "PCM_16")
SEEDS = {
    "a.wav": [
        GOOD,
        sound("WAV", "FLOAT"),
        sound("WAVEX", "PCM_24"),
        sound("RF64", "PCM_16"),
        sound("WAV", "IMA_ADPCM"),
    ],
    "a.flac": [sound("FLAC", "PCM_16")],
    "a.ogg": [sound("OGG", "VORBIS"), sound("OGG", "OPUS")],
    "a.mp3": [sound("MP3", "MPEG_LAYER_III", 8000)],
    "a.aiff": [sound("AIFF", "PCM_16")],
    **{name: [encoded(name)] for name in ("a.opus", "a.m4a", "a.caf", "a.wma", "a.mp4", "a.mov", "a.mkv", "a.webm")},
}
NUMBERS = [0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, RATE]


@st.composite
def damaged(draw: st.DrawFn, contents: list[bytes]) -> bytes:
    """Damage one of `contents` in a few places, mostly in its header."""
    content = bytearray(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, min(len(content), 120)) | st.integers(0, len(content)))
        match draw(st.sampled_from(["bytes", "number", "insert", "delete", "cut", "repeat"])):
            case "bytes":
                new = draw(st.binary(min_size=1, max_size=8))
                content[at : at + len(new)] = new
            case "number":
                size = draw(st.sampled_from([2, 4, 8]))
                number = draw(st.sampled_from(NUMBERS)) % 256**size
                content[at : at + size] = number.to_bytes(size, draw(st.sampled_from(["little", "big"])))
            case "insert":
                content[at:at] = draw(st.binary(min_size=1, max_size=64))
            case "delete":
                del content[at : at + draw(st.integers(1, 64))]
            case "cut":
                del content[at:]
            case "repeat":
                content[at:at] = content[at : at + draw(st.integers(1, 4096))]
    return bytes(content)


@st.composite
def sounds(draw: st.DrawFn) -> Example:
    """Play or match a damaged sound file."""
    name = draw(st.sampled_from(sorted(SEEDS)))
    content = draw(damaged(SEEDS[name]))
    words = draw(
        st.sampled_from(
            [
                ["run", "--headless", *OUTPUTS, "--duration", "0.5", "--input", name],
                ["run", "--headless", *OUTPUTS, "--duration", "0.5", "--input", name, "--target", "channel"],
                ["run", "--headless", *OUTPUTS, "--duration", "0.5", "--input", name, "--channels", "2"],
                ["run", "--headless", *OUTPUTS, "--duration", "0.5", "--input", name, "--loop"],
                ["run", "--headless", *OUTPUTS, "--clock", "offline", "--input", name, "--target", "ok.wav"],
                ["run", "--headless", *OUTPUTS, "--clock", "offline", "--input", "ok.wav", "--target", name],
                ["match", name, "ok.wav", "--json", "s.json"],
                ["match", "ok.wav", name, "--record", "m.wav"],
            ]
        )
    )
    return Example(words, {name: content})


TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"), max_size=12)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(NUMBERS), st.integers(), st.floats(width=32), TEXT
)
PLAUSIBLE: dict[str, st.SearchStrategy[Any]] = {
    "gain_db": st.floats(-130, 70), "polarity": st.sampled_from(["normal", "invert"]), "seed": st.integers(0, 9),
    "phase_deg": st.floats(-370, 370), "delay_ms": st.floats(0, 1100), "noise_dbfs": st.floats(-210, 1),
    "loss": st.sampled_from(["waveform", "spectral", "stft", "multi-resolution", "log-stft"]),
    "optimizer": st.sampled_from(["Adam", "SGD", "Rprop", "ASGD", "Adadelta"]), "lr": st.floats(1e-30, 1100),
    "steps": st.integers(0, 20), "window_ms": st.floats(0, 200), "hop_ms": st.floats(1, 100),
    "sample_rate": st.integers(3000, 800_000), "align": st.sampled_from(["on", "off"]),
    "channels": st.sampled_from(["auto", 1, 2]), "dry_channel": st.lists(st.integers(0, 3), max_size=3),
    "processor": st.sampled_from(["gain", "eq"]), "level_match": st.sampled_from(["off", "estimate", "loudness"]),
    "target": st.sampled_from(["reference", "channel", "ok.wav", "missing.wav"]), "loop": st.booleans(),
    "start": st.floats(0, 0.3), "end": st.floats(0, 0.3),
    "equalizer": st.dictionaries(st.sampled_from(["gain_db", "filters"]) | TEXT, VALUES, max_size=3),
}  # fmt: skip


@st.composite
def presets(draw: st.DrawFn) -> Example:
    """Use a preset that is damaged, or has any values, or values at the limits of their ranges."""
    fields = sorted(SessionConfig.model_fields)
    session = draw(
        st.one_of(
            st.fixed_dictionaries({}, optional=PLAUSIBLE),
            st.dictionaries(st.sampled_from(fields) | TEXT, VALUES | st.lists(VALUES, max_size=2), max_size=4),
            VALUES,
        )
    )
    text = json.dumps({"version": draw(st.sampled_from([1, 1, 1, 2, "1", None])), "session": session})
    content = draw(st.just(text.encode()) | damaged([text.encode()]))
    words = ["run", "--headless", *OUTPUTS, "--input", "ok.wav", "--duration", "0.2", "--preset", "p.json"]
    return Example([*words, "--clock", "offline"], {"p.json": content})


NUMERIC = st.floats() | st.floats(-20, 20) | st.floats(10, 24_000) | st.sampled_from(NUMBERS)
CELL = st.one_of(st.floats().map(str), st.integers(-200, 200).map(str), TEXT)


def table(draw: st.DrawFn, header: str, cells: st.SearchStrategy[str], columns: int) -> bytes:
    """Make a CSV of some rows, damaged or not."""
    row = st.lists(cells, min_size=columns, max_size=columns) | st.lists(cells, max_size=columns + 1)
    rows = draw(st.lists(row, max_size=4))
    text = "\n".join([draw(st.just(header) | TEXT), *(",".join(row) for row in rows), ""]).encode()
    return draw(st.just(text) | damaged([text or b"\n"]))


@st.composite
def automations(draw: st.DrawFn) -> Example:
    """Use an automation of any rows."""
    cells = st.floats(0, 2).map(str) | st.floats(-120, 60).map(str) | CELL
    words = ["run", "--headless", *OUTPUTS, "--input", "ok.wav", "--automation", "a.csv"]
    return Example(words, {"a.csv": table(draw, "time_s,gain_db", cells, 2)})


@st.composite
def manifests(draw: st.DrawFn) -> Example:
    """Use a manifest of any pairs, perhaps with existing results."""
    cells = st.sampled_from(["ok.wav", "ok.wav", "missing.wav", "m.csv", "", "."]) | TEXT
    files = {"m.csv": table(draw, draw(st.sampled_from(["dry,target", "dry,target,note"])), cells, 2)}
    if draw(st.booleans()):
        files["t.csv"] = table(draw, "dry,target,gain_db", CELL, 3)
    return Example(["match", "--manifest", "m.csv", "--csv", "t.csv"], files)


EQUALIZER_LINES = [
    "Preamp: -6.0 dB", "Filter 1: ON PK Fc 1000 Hz Gain 3.0 dB Q 1.41", "Filter: ON HS Fc 8000 Hz Gain 4 dB",
    "Filter 2: ON LSC Fc 105 Hz Gain -2.5 dB Q 0.70", "Filter 3: OFF PK Fc 30 Hz Gain 1 dB Q 9", "# a comment", "",
    "Filter 4: ON LP Fc 300 Hz", "GraphicEQ: 20 0; 1000 -3; 20000 1", "Channel: L",
]  # fmt: skip
"""Lines of the text format of Equalizer APO, supported or not."""


@st.composite
def equalizers(draw: st.DrawFn) -> Example:
    """Use an equalizer of any lines, or of lines with any numbers, damaged or not; learn it, or not."""
    number = (NUMERIC | TEXT).map(str)
    line = st.builds(
        "Filter: ON {} Fc {} Hz Gain {} dB Q {}".format, st.sampled_from(["PK", "LSC", "HSC"]), *[number] * 3
    )
    lines = draw(st.lists(st.sampled_from(EQUALIZER_LINES) | line | TEXT, max_size=8))
    text = draw(st.sampled_from(["\n", "\r\n"])).join(lines).encode()
    content = draw(st.just(text) | damaged([text or b"\n"]))
    learned = ["--processor", "eq", "--eq-out", "q.txt"] if draw(st.booleans()) else []
    words = ["run", "--headless", *OUTPUTS, "--input", "ok.wav", "--clock", "offline", "--eq", "e.txt", *learned]
    return Example(words, {"e.txt": content})


def option_names() -> list[str]:
    """Return the names of all options of the command line."""
    commands = next(action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    parsers = (commands.choices["run"], commands.choices["match"], commands.choices["devices"])
    return sorted({name for parser in parsers for action in parser._actions for name in action.option_strings})


OPTIONS = option_names()
WORDS = [
    "ok.wav", "demo", "sine", "pink", "mic", "offline", "reference", "channel", "dry", "normal", "invert", "on", "off",
    "waveform", "spectral", "Adam", "SGD", "t.csv", "s.json", "p.png", "m.wav", "-", "--", "", ".", "..", "0", "1",
    "-1", "0.5", "-12", "1e-9", "1e9", "nan", "inf", "99999999999999999999", "0x10", "1_000", "٣",
    "auto", "2", "1,2", "2,1", "1,1", "1,2,3", "3,4", "1,", "eq", "gain", "loudness", "estimate", "q.txt", "r.html",
]  # fmt: skip


@st.composite
def command_lines(draw: st.DrawFn) -> Example:
    """Use any arguments. The last ones limit the session; the GUI and the live clocks are excluded."""
    word = st.sampled_from(OPTIONS) | st.sampled_from(WORDS) | TEXT
    words = draw(st.lists(word, max_size=8))
    if draw(st.booleans()):
        words = [one for pair in zip(words[::2], words[1::2], strict=False) for one in pair]
    start = draw(st.sampled_from([["run", "--headless"], ["match"], ["match", "ok.wav", "ok.wav"], ["devices"]]))
    end = ["--duration", "0.3", "--clock", "offline"] if start[0] == "run" else []
    return Example([*start, *words, *end], {})


KINDS: dict[str, st.SearchStrategy[Example]] = {
    "sounds": sounds(),
    "presets": presets(),
    "automations": automations(),
    "equalizers": equalizers(),
    "manifests": manifests(),
    "command lines": command_lines(),
}


# --- runs -----------------------------------------------------------------------------------------------


def warm_up() -> None:
    """Import once in this process what the examples need: each is forked from it."""
    from rtgain.cli.main import main
    from rtgain.match import pair_process

    # Other processes would hide their behavior.
    def match_here(_: pair_process.PairProcesses, folder: str, dry: str, target: str) -> pair_process.PairOutcome:
        return pair_process._match(folder, dry, target)

    pair_process.PairProcesses.match = match_here  # type: ignore[method-assign, assignment]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(StringIO()):
        Path("ok.wav").write_bytes(GOOD)
        for words in (["run", "--headless", "--duration", "0.3", *OUTPUTS], ["match", "ok.wav", "ok.wav"]):
            assert main(words) == 0


def run(example: Example) -> Result:
    """Run an example in a fork of this process, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="rtgain-fuzz-") as name:
        folder, errors = Path(name) / "folder", Path(name) / "errors"
        folder.mkdir()
        for file, content in {"ok.wav": GOOD, **example.files}.items():
            (folder / file).write_bytes(content)
        pid = os.fork()
        if pid == 0:
            _run_command(example.words, folder, errors)
        pidfd = os.pidfd_open(pid)
        ended = bool(select.select([pidfd], [], [], HANG_S)[0])
        os.close(pidfd)
        if not ended:
            os.kill(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        remaining = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        code = os.waitstatus_to_exitcode(status) if ended else None
        return Result(code, errors.read_text(errors="replace"), remaining, usage.ru_maxrss / 1024)


def _run_command(words: list[str], folder: Path, errors: Path) -> None:
    """Run the command in the forked process. It never returns."""
    code = 70
    try:
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT), 2)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        from rtgain.cli.main import main

        code = main(words)
    except SystemExit as system_exit:  # argparse, after --help
        code = system_exit.code if isinstance(system_exit.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def problem(example: Example, result: Result) -> str | None:
    """Describe the forbidden behavior of a run; None if there is none."""
    if result.code is None:
        return f"hangs for more than {HANG_S:g} s"
    if result.code not in (0, 2, 3) or "Traceback" in result.errors:
        return f"ends with {result.code}"
    lines = result.errors.splitlines()
    if not all(line.startswith("rtgain: ") for line in lines):
        return "prints something else"
    if result.code != 0 and len(lines) != 1:  # a run that succeeds may print notices
        return f"ends with {result.code}, and does not report its error in one line"
    if result.peak_mb > MEMORY_MB:
        return f"takes {result.peak_mb:.0f} MB"
    files = {"ok.wav": GOOD, **example.files}
    named = set(files) | set(OUTPUTS)
    unnamed = [
        name for name in result.remaining if name not in named and not any(name in word for word in example.words)
    ]
    if unnamed:
        return f"leaves {unnamed}, which the command does not name"
    changed = [name for name in files if result.remaining.get(name) != files[name] and name not in example.words[1:]]
    if changed and "t.csv" not in changed:
        return f"changes {changed}"
    incomplete = [name for name in ("t.csv", "s.json", "m.wav") if name in result.remaining and name not in files]
    keeps_results = "--manifest" in example.words or "no equalizer was learned" in result.errors
    if result.code == 2 and incomplete and not keeps_results:
        return f"fails, and leaves {incomplete}"
    return None


# --- loop -------------------------------------------------------------------------------------------------


def fuzz(
    minutes: float, examples_per_kind: int, first_seed: int, kinds: list[str], check: Callable[[Example], None]
) -> None:
    """Call `check` with examples of each kind in turn for some minutes, but with all of the first round.

    Raises its error for the smallest example.
    """
    end_s = time.monotonic() + 60.0 * minutes
    for number in _count_from(first_seed):
        for kind in kinds:
            _check_examples(kind, examples_per_kind, number, math.inf if number == first_seed else end_s, check)
        if time.monotonic() >= end_s:
            return


def _check_examples(kind: str, count: int, number: int, end_s: float, check: Callable[[Example], None]) -> None:
    """Call `check` with `count` examples of the seed `number`, until `end_s`."""

    @seed(number)
    @settings(
        max_examples=count, database=None, deadline=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    @given(KINDS[kind])
    def examples(example: Example) -> None:
        if time.monotonic() < end_s:
            check(example)

    examples()


def _count_from(start: int) -> Iterator[int]:
    while True:
        yield start
        start += 1


def main() -> int:
    """Fuzz with the options of the command line. Returns 1 if a problem was found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="examples of each kind per round")
    parser.add_argument("--seed", type=int, default=0, help="seed of the examples")
    parser.add_argument("--kind", choices=KINDS, action="append", help="only these; default: all")
    options = parser.parse_args()
    kinds = options.kind or list(KINDS)
    findings = Path(tempfile.gettempdir()) / f"rtgain-fuzz-found-{os.getpid()}"
    codes: Counter[int | None] = Counter()
    peak_mb = 0.0

    def check(example: Example) -> None:
        nonlocal peak_mb
        result = run(example)
        codes[result.code] += 1
        peak_mb = max(peak_mb, result.peak_mb)
        if wrong := problem(example, result):
            shutil.rmtree(findings, ignore_errors=True)
            findings.mkdir()
            for name, content in {"ok.wav": GOOD, **example.files}.items():
                (findings / name).write_bytes(content)
            (findings / "what-happened").write_text(f"rtgain {example.words}\n{wrong}\n{result.errors}")
            raise AssertionError(wrong)

    warm_up()
    try:
        fuzz(options.minutes, options.examples, options.seed, kinds, check)
    except AssertionError:
        print(f"{(findings / 'what-happened').read_text()}\nThe files are in {findings}.")
        return 1
    by_code = ", ".join(f"{count} × exit code {code}" for code, count in sorted(codes.items()))
    print(f"{codes.total()} examples of {', '.join(kinds)}: {by_code}; at most {peak_mb:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
