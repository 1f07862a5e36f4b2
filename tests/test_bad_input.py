"""What is wrong in a command, or in a file that it names, is one line that says so; and nothing is left behind."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtgain.cli import main
from tests.commands import command, rtgain

RATE = 48_000
OUTPUTS = ("--csv", "t.csv", "--json", "s.json", "--record", "m.wav", "--plot", "p.png")

AS_ANY_USER = () if os.geteuid() else ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
"""Takes from root the right to read and write whatever it likes."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands run, with a sound file `ok.wav` of half a second."""
    soundfile.write(tmp_path / "ok.wav", noise(RATE // 2), RATE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """`main` takes the signals of the process that it runs in, here the tests' own."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def noise(frames: int, channels: int = 1) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal((frames, channels))).astype(np.float32)


def the_line(code: int, out: str, errors: str, expected_code: int = 2) -> str:
    """What is said to the user, without the program's name."""
    assert code == expected_code, errors
    assert out == ""
    assert errors.startswith("rtgain: ")
    assert errors.endswith("\n")
    assert errors.count("\n") == 1
    return errors.removeprefix("rtgain: ").removesuffix("\n")


def refusal(folder: Path, *words: str | Path, expected_code: int = 2, **settings: object) -> str:
    """What the real command says, run in `folder` with every output asked for, of which none may be left."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    ran = rtgain("run", "--headless", *OUTPUTS, *words, cwd=folder, **settings)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    return the_line(ran.returncode, ran.stdout, ran.stderr, expected_code)


# --- the words themselves -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--volume 3", "unrecognized arguments: --volume 3; see rtgain --help"),
        ("--gain-d 3", "unrecognized arguments: --gain-d 3; see rtgain --help"),
        ("song.wav", "unrecognized arguments: song.wav; see rtgain --help"),
        ("--input", "argument --input: expected one argument; see rtgain run --help"),
        ("--clock slow", "argument --clock: invalid choice: 'slow' "),
        ("--loss l1", "--loss: 'l1' is not one of waveform, spectral"),
        ("--optimizer LBFGS", "--optimizer: 'LBFGS' is not one of Adadelta, "),
        ("--gain-db loud", "argument --gain-db: 'loud' is not a number; "),
        ("--gain-db nan", "argument --gain-db: 'nan' is not a finite number; "),
        ("--gain inf", "argument --gain: 'inf' is not a finite number; "),
        ("--gain-db 60.5", "--gain-db: should be less than or equal to 60, not 60.5"),
        ("--gain-db -120.5", "--gain-db: should be greater than or equal to -120, not -120.5"),
        ("--gain 1e-7", "--gain-db: should be greater than or equal to -120, not -140.0"),
        ("--gain 0", "--gain 0 mutes the target, and no gain can be told from silence; use another"),
        ("--gain 0.5 --gain-db -6", "--gain and --gain-db both set the reference gain; give one of them"),
        ("--phase-deg 361", "--phase-deg: should be less than or equal to 360, not 361.0"),
        ("--delay-ms -1", "--delay-ms: should be greater than or equal to 0, not -1.0"),
        ("--delay-ms 1001", "--delay-ms: should be less than or equal to 1000, not 1001.0"),
        ("--noise-dbfs 1", "--noise-dbfs: should be less than or equal to 0, not 1.0"),
        ("--lr 0", "--lr: should be greater than 0, not 0.0"),
        ("--steps 0", "--steps: should be greater than or equal to 1, not 0"),
        ("--steps 1.5", "argument --steps: '1.5' is not a whole number; "),
        ("--window-ms 0", "--window-ms: should be greater than 0, not 0.0"),
        ("--hop-ms 100", "--hop-ms: the hop is longer than the window; use a hop of at most window_ms"),
        ("--duration 0", "--duration: should be greater than 0, not 0.0"),
        ("--duration 1e308", "--duration: should be less than or equal to 10000000, not 1e+308"),
        ("--duration 0.05", "demo: lasts 2400 frames at 48000 Hz, less than one analysis window of 4096; "),
        ("--block 0", "--block: should be greater than or equal to 1, not 0"),
        ("--sample-rate 3999", "--sample-rate: should be greater than or equal to 4000, not 3999"),
        ("--seed -1", "--seed: should be greater than or equal to 0, not -1"),
        ("--input ok.wav --loop", "--loop on the fast clock never ends; give a --duration"),
        ("--input mic --clock fast", "--clock: a microphone runs on the device's clock, not on 'fast'"),
        ("--target channel", "--target: 'channel' needs a two-channel file or mic; "),
        ("--csv - --json -", "--csv - and --json -: only one of them can be standard output; "),
    ],
)
def test_words_that_cannot_be_meant_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], words: str, line: str
) -> None:
    code = main(["run", "--headless", *OUTPUTS, *words.split()])
    assert the_line(code, *capsys.readouterr()).startswith(line)
    assert list(folder.iterdir()) == [folder / "ok.wav"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("play song.wav", "argument COMMAND: invalid choice: 'play' (choose from "),
        ("devices --input mic", "unrecognized arguments: --input mic; see rtgain --help"),
        ("run --json s.json", "--csv, --json, --plot and --record are for a run without a window; add --headless"),
    ],
)
def test_commands_that_there_are_not_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], words: str, line: str
) -> None:
    code = main(words.split())
    assert the_line(code, *capsys.readouterr()).startswith(line)


# --- files that are read --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("missing.wav", "does not exist; check the path"),
        ("empty.wav", "is empty (0 bytes); record or copy it again"),
        ("text.wav", "is text, not sound; rtgain plays wav, flac, ogg and mp3"),
        ("folder", "is a directory; name a sound file (wav, flac, ogg and mp3) in it"),
        ("cut.wav", "cut short: its header promises 48000 bytes of sound, and 29956 are there; fetch it again"),
        ("one.wav", "lasts 1 frames at 48000 Hz, less than one analysis window of 4096; give more sound"),
        ("nan.wav", "holds NaN or infinite samples, the first at 0:00.750 (frame 36000); write it anew"),
        ("ok.wav --target channel", "has one channel, and two are needed (dry left, target right); "),
    ],
)
def test_a_sound_that_cannot_be_played_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, line: str
) -> None:
    soundfile.write("one.wav", noise(1), RATE)
    with_nan = noise(RATE)
    with_nan[36_000] = np.nan
    soundfile.write("nan.wav", with_nan, RATE, subtype="FLOAT")
    Path("empty.wav").touch()
    Path("text.wav").write_text("a shopping list\n")
    Path("cut.wav").write_bytes(Path("ok.wav").read_bytes()[:30_000])
    Path("folder").mkdir()
    before = sorted(folder.iterdir())
    code = main(["run", "--headless", *OUTPUTS, "--input", *name.split()])
    assert the_line(code, *capsys.readouterr()).startswith(f"{name.split()[0]}: {line}")
    assert sorted(folder.iterdir()) == before


def test_a_sound_that_may_not_be_read_is_named(folder: Path) -> None:
    Path("ok.wav").chmod(0)
    run = [*AS_ANY_USER, *command("run", "--headless", *OUTPUTS, "--input", "ok.wav")]
    ran = subprocess.run(run, capture_output=True, text=True)
    line = the_line(ran.returncode, ran.stdout, ran.stderr)
    assert line == "ok.wav: no permission to read it; allow it with chmod +r"
    assert list(folder.iterdir()) == [folder / "ok.wav"]


def test_a_sound_that_turns_out_to_be_damaged_leaves_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write("damaged.flac", noise(10 * RATE), RATE)
    content = bytearray(Path("damaged.flac").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 3000] = bytes(3000)
    Path("damaged.flac").write_bytes(content)
    code = main(["run", "--headless", *OUTPUTS, "--input", "damaged.flac"])
    assert the_line(code, *capsys.readouterr()).startswith("damaged.flac: cannot be read after 0:04.")
    assert sorted(path.name for path in folder.iterdir()) == ["damaged.flac", "ok.wav"]


def test_eight_channels_at_192_khz_are_no_mistake(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write("eight.wav", noise(96_000, 8), 192_000)
    assert main(["run", "--headless", "--input", "eight.wav", "--gain-db", "-12", "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["sample_rate"], result["frames"]) == (192_000, 96_000)
    assert result["gain_db"] == pytest.approx(-12, abs=0.01)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "a.json: No such file or directory; --preset wants a file that rtgain saved"),
        ("gain_db: -3", "a.json: not JSON ("),
        ('{"version": 2, "session": {}}', "a.json: preset version 2; this rtgain reads 1"),
        ('{"version": 1, "session": {"volume": 3}}', "a.json: 'volume' is no session option; remove it"),
        ("[" * 100_000, "a.json: nested too deeply for a preset; save it anew from rtgain"),
    ],
)
def test_a_preset_that_is_none_is_named(folder: Path, content: str | None, line: str) -> None:
    if content is not None:
        Path("a.json").write_text(content)
    assert refusal(folder, "--preset", "a.json").startswith(line)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "a.csv: No such file or directory; --automation wants a CSV of time_s,gain_db"),
        ("", "a.csv: the first line must be time_s,gain_db"),
        ("seconds,level\n0,0\n", "a.csv: the first line must be time_s,gain_db"),
        ("time_s,gain_db\n1,-3\n0,-6\n", "a.csv, line 3: earlier than the line above; sort by time_s"),
        ("time_s,gain_db\n0,nan\n", "a.csv, line 2: gain_db must be from -120 to 60"),
    ],
)
def test_an_automation_that_is_none_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], content: str | None, line: str
) -> None:
    if content is not None:
        Path("a.csv").write_text(content)
    before = sorted(folder.iterdir())
    code = main(["run", "--headless", *OUTPUTS, "--input", "ok.wav", "--automation", "a.csv"])
    assert the_line(code, *capsys.readouterr()) == line
    assert sorted(folder.iterdir()) == before


# --- files that are written -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--csv none/t.csv", "--csv none/t.csv: there is no directory none; make it first"),
        ("--json folder", "--json folder: is a directory; name a file in it"),
        ("--csv same --json ./folder/../same", "--json ./folder/../same: is the file of --csv too; "),
        ("--record folder/../ok.wav", "--record folder/../ok.wav: is an input too; choose another name"),
        ("--record link.wav", "--record link.wav: is an input too; choose another name"),
        ("--automation a.csv --csv a.csv", "--csv a.csv: is an input too; choose another name"),
        ("--plot p.jpg", "--plot p.jpg: figures are PNG; end the name in .png"),
        (f"--csv {'a' * 300}", f"--csv {'a' * 300}: cannot be written (File name too long); "),
    ],
)
def test_a_place_where_no_output_can_be_is_named_before_anything_runs(
    folder: Path, capsys: pytest.CaptureFixture[str], words: str, line: str
) -> None:
    Path("folder").mkdir()
    Path("link.wav").symlink_to("ok.wav")
    Path("a.csv").write_text("time_s,gain_db\n0,0\n")
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    code = main(["run", "--headless", *OUTPUTS, "--input", "ok.wav", *words.split()])
    assert the_line(code, *capsys.readouterr()).startswith(line)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_recording_that_is_no_wav_or_flac_is_refused(folder: Path) -> None:
    line = refusal(folder, "--input", "ok.wav", "--record", "m.mp3")
    assert line == "m.mp3: cannot be recorded to; use a name that ends in .wav or .flac"


def test_a_full_disk_is_named_and_a_device_is_not_removed(folder: Path) -> None:
    """/dev/full is always full. The CSV takes the recording along that was begun; the JSON comes when all is done."""
    Path("full.csv").symlink_to("/dev/full")
    for words in ("--csv full.csv", "--json full.csv"):
        ran = rtgain("run", "--headless", "--input", "ok.wav", "--record", "m.wav", *words.split(), cwd=folder)
        line = the_line(ran.returncode, ran.stdout, ran.stderr)
        assert line.startswith("full.csv: cannot be written (No space left on device); choose another place or make")
        assert Path("/dev/full").is_char_device()
        assert Path("m.wav").exists() == words.startswith("--json")
    assert sorted(path.name for path in folder.iterdir()) == ["full.csv", "m.wav", "ok.wav"]
    assert soundfile.info("m.wav").frames == RATE // 2


# --- devices --------------------------------------------------------------------------------------


@pytest.fixture
def without_portaudio(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run as where libportaudio2 is not installed."""
    folder = tmp_path_factory.mktemp("site")
    hide = "import ctypes.util\nctypes.util.find_library = lambda name: None\n"
    (folder / "sitecustomize.py").write_text(hide)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_without_any_device_the_line_says_how_to_go_on(folder: Path) -> None:
    line = refusal(folder, "--clock", "device", "--input", "ok.wav", expected_code=3)
    assert line == "no audio output device was found; connect one, or run without one: --clock realtime"
    line = refusal(folder, "--input", "mic", expected_code=3)
    assert line == "no audio input device was found; connect one, or choose a file with --input"


def test_without_portaudio_the_line_says_what_to_install(folder: Path, without_portaudio: None) -> None:
    line = "PortAudio is not installed; get it with: sudo apt-get install libportaudio2 "
    assert refusal(folder, "--input", "mic", expected_code=3).startswith(line)
    ran = rtgain("devices")
    assert the_line(ran.returncode, ran.stdout, ran.stderr, expected_code=3).startswith(line)


def test_a_device_that_cannot_be_had_is_named(folder: Path, jack_server: object) -> None:
    line = refusal(folder, "--clock", "device", "--sample-rate", "44100", expected_code=3)
    assert line.startswith("system (JACK Audio Connection Kit): cannot run at 44100 Hz: ")
    line = refusal(folder, "--clock", "device", "--output-device", "USB", expected_code=3)
    assert line.startswith("no output device matches 'USB'; choose --output-device by index or more of the name: 0: ")
