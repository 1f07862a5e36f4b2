"""Errors in a command, or in a file that it names, are reported in one line, and no files remain."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import soundfile

from rtgain.cli.main import main
from tests.bad_files import make_bad_files, noise
from tests.bad_inputs import BAD_INPUTS, BadInput, run_command
from tests.commands import ROOT, command, rtgain

pytestmark = pytest.mark.usefixtures("restored_signal_handlers")

RATE = 48_000
OUTPUTS = ("--csv", "t.csv", "--json", "s.json", "--record", "m.wav", "--plot", "p.png")

AS_ANY_USER = () if os.geteuid() else ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
"""Command prefix that removes root's right to read and write every file."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the commands, with a sound file `ok.wav` of half a second."""
    soundfile.write(tmp_path / "ok.wav", noise(RATE // 2), RATE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def error_line(code: int, out: str, errors: str, expected_code: int = 2) -> str:
    """Check the exit code and streams, and return the error line without the program's name."""
    assert code == expected_code, errors
    assert out == ""
    assert errors.startswith("rtgain: ")
    assert errors.endswith("\n")
    assert errors.count("\n") == 1
    return errors.removeprefix("rtgain: ").removesuffix("\n")


def run_rejected(folder: Path, *words: str | Path, expected_code: int = 2, **settings: object) -> str:
    """Run the real command in `folder` with every output, check that no output remains, and return its error line."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    process = rtgain("run", "--headless", *OUTPUTS, *words, cwd=folder, **settings)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    return error_line(process.returncode, process.stdout, process.stderr, expected_code)


# --- the table ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    make_bad_files(folder)
    return folder


def state(folder: Path) -> dict[Path, int]:
    """Modification times of the files in a folder."""
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("bad", BAD_INPUTS, ids=lambda bad: bad.name)
def test_bad_input_gets_its_line_and_leaves_no_files(
    bad: BadInput, bad_files: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(bad_files)
    before = state(bad_files)
    code, errors = run_command(bad)
    out, past_python = capfd.readouterr()  # what libraries say past Python's own streams, too
    assert error_line(code, out, errors).startswith(bad.line)
    assert past_python == ""
    assert state(bad_files) == before


@pytest.mark.parametrize("name", ["MP3 cut short", "zeros", "preset nested without end", "pickle for a preset"])
def test_bad_input_gets_its_line_from_a_real_process(name: str, bad_files: Path) -> None:
    (bad,) = [bad for bad in BAD_INPUTS if bad.name == name]
    before = state(bad_files)
    process = rtgain(*bad.words, cwd=bad_files)
    assert error_line(process.returncode, process.stdout, process.stderr).startswith(bad.line)
    assert state(bad_files) == before


def test_there_are_a_hundred_bad_inputs_with_unique_names_and_commands() -> None:
    assert len(BAD_INPUTS) >= 100
    assert len({bad.name for bad in BAD_INPUTS}) == len({bad.command for bad in BAD_INPUTS}) == len(BAD_INPUTS)


def test_documentation_contains_the_table_of_bad_inputs() -> None:
    """The table of `python -m tests.bad_inputs`, up to what depends on installed packages."""
    table = (ROOT / "docs" / "robustness.md").read_text(encoding="utf-8")
    for bad in BAD_INPUTS:
        assert f"| {bad.name} | `{bad.line.replace('|', ' ')[:100]}" in table


# --- files that are read --------------------------------------------------------------------------


def test_sound_without_read_permission_is_named(folder: Path) -> None:
    Path("ok.wav").chmod(0)
    run = [*AS_ANY_USER, *command("run", "--headless", *OUTPUTS, "--input", "ok.wav")]
    process = subprocess.run(run, capture_output=True, text=True)
    line = error_line(process.returncode, process.stdout, process.stderr)
    assert line == "ok.wav: no permission to read it; allow it with chmod +r"
    assert list(folder.iterdir()) == [folder / "ok.wav"]


def test_eight_channels_at_192_khz_are_accepted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write("eight.wav", noise(96_000, 8), 192_000)
    assert main(["run", "--headless", "--input", "eight.wav", "--gain-db", "-12", "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["sample_rate"], result["frames"]) == (192_000, 96_000)
    assert result["gain_db"] == pytest.approx(-12, abs=0.01)


# --- files that are written -----------------------------------------------------------------------


def test_full_disk_is_named_and_a_device_is_not_removed(folder: Path) -> None:
    """/dev/full is always full. An error of the CSV removes the recording; the JSON is written at the end."""
    Path("full.csv").symlink_to("/dev/full")
    for words in ("--csv full.csv", "--json full.csv"):
        process = rtgain("run", "--headless", "--input", "ok.wav", "--record", "m.wav", *words.split(), cwd=folder)
        line = error_line(process.returncode, process.stdout, process.stderr)
        assert line.startswith("full.csv: cannot be written (No space left on device); choose another location or free")
        assert Path("/dev/full").is_char_device()
        assert Path("m.wav").exists() == words.startswith("--json")
    assert sorted(path.name for path in folder.iterdir()) == ["full.csv", "m.wav", "ok.wav"]
    assert soundfile.info("m.wav").frames == RATE // 2


# --- devices --------------------------------------------------------------------------------------


@pytest.fixture
def without_portaudio(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run commands as if libportaudio2 were not installed."""
    folder = tmp_path_factory.mktemp("site")
    hide = "import ctypes.util\nctypes.util.find_library = lambda name: None\n"
    (folder / "sitecustomize.py").write_text(hide)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_missing_device_is_reported_with_an_alternative(folder: Path) -> None:
    line = run_rejected(folder, "--clock", "device", "--input", "ok.wav", expected_code=3)
    assert line == "no audio output device was found; connect one, or run without one: --clock timer"
    line = run_rejected(folder, "--input", "mic", expected_code=3)
    assert line == "no audio input device was found; connect one, or choose a file with --input"


def test_missing_portaudio_is_reported_with_its_package(folder: Path, without_portaudio: None) -> None:
    line = "PortAudio is not installed; install it with: sudo apt-get install libportaudio2 "
    assert run_rejected(folder, "--input", "mic", expected_code=3).startswith(line)
    process = rtgain("devices")
    assert error_line(process.returncode, process.stdout, process.stderr, expected_code=3).startswith(line)


def test_unavailable_device_is_named(folder: Path, jack_server: object) -> None:
    line = run_rejected(folder, "--clock", "device", "--sample-rate", "44100", expected_code=3)
    assert line.startswith("system (JACK Audio Connection Kit): cannot run at 44100 Hz: ")
    line = run_rejected(folder, "--clock", "device", "--output-device", "USB", expected_code=3)
    assert line.startswith("no output device matches 'USB'; choose --output-device by index or more of the name: 0: ")
