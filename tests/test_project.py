"""First steps of a new developer: make targets, system packages, declared requirements, commands of the docs."""

import ast
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests import documentation
from tests.commands import rtgain

ROOT = Path(__file__).parents[1]
FOR_TESTS = "jackd2 libasound2-plugins xvfb xdotool libfaketime stress-ng gcc libc6-dev"
"""Debian packages that only the tests need."""


def script(folder: Path, name: str, body: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def imports(folder: str) -> set[str]:
    """Full names of all modules that the files of a folder import, also inside functions."""
    names: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
    assert names, f"no imports in {folder}: does it exist?"
    return names


def declared(*extras: str) -> set[str]:
    """Canonical names of the distributions that pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + [line for e in extras for line in project["optional-dependencies"][e]]
    return {re.split(r"[<>=; ]", line)[0].lower() for line in wanted}


@pytest.mark.parametrize(
    ("folder", "extras"), [("rtgain", ("auraloss", "bench", "cluster", "notebook")), ("gui", ()), ("tests", ("test",))]
)
def test_what_is_imported_is_declared(folder, extras):
    providers = importlib.metadata.packages_distributions()
    tops = {name.split(".")[0] for name in imports(folder)} - set(sys.stdlib_module_names)
    # llvmlite is numba's other half and shiboken6 PySide6's: they come along in the one version that fits.
    tops -= {"rtgain", "gui", "scripts", "tests", "llvmlite", "shiboken6"}
    brought = {top: {name.lower().replace("_", "-") for name in providers[top]} for top in tops}
    assert {top for top in tops if not brought[top] & declared(*extras)} == set()


@pytest.fixture
def checkout(tmp_path):
    """The real Makefile over scripts that only write down how they were called."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    calls = tmp_path / "calls"
    for name in ("system-packages", "install", "run"):
        script(tmp_path / "scripts", name, f'mkdir -p .venv && echo {name} "$@" >> {calls}')
    script(tmp_path / ".venv" / "bin", "python", f'echo python "$@" >> {calls}')

    def make(*arguments: str) -> list[str]:
        calls.unlink(missing_ok=True)
        subprocess.run(["make", *arguments], cwd=tmp_path, check=True, capture_output=True)
        return calls.read_text(encoding="utf-8").splitlines()

    return tmp_path, make


def test_make_test_installs_and_then_checks_style_types_and_behavior(checkout):
    _, make = checkout
    assert make("test") == [
        "system-packages test",
        "system-packages run",
        "install .[test]",
        "python -m ruff check .",
        "python -m ruff format --check .",
        "python -m mypy",
        "python -m pytest -n 3 --dist loadscope --no-loadscope-reorder -m not realtime",
        "python -m pytest -n 2 --dist loadscope --no-loadscope-reorder -m realtime",
    ]


@pytest.mark.parametrize(("failure", "repeated"), [(1, True), (2, False)])
def test_a_realtime_test_that_fails_next_to_another_must_pass_alone(checkout, failure, repeated):
    """Exit code 1 of pytest: tests have failed; 2: it was interrupted."""
    folder, make = checkout
    python = folder / ".venv" / "bin" / "python"
    fails = f'echo python "$@" >> {folder / "calls"}; case "$*" in *"-n 2"*) exit {failure};; esac'
    script(python.parent, python.name, fails)
    if repeated:
        assert make("test")[-1] == "python -m pytest --last-failed --last-failed-no-failures none -m realtime"
    else:
        with pytest.raises(subprocess.CalledProcessError):
            make("test")


def test_a_second_make_test_or_run_does_not_install_again(checkout):
    _, make = checkout
    assert "install .[test]" in make("test")
    assert not [call for call in make("test") if call.startswith("install")]
    assert not [call for call in make("run") if call.startswith("install")]


def test_new_requirements_are_installed_by_the_next_make(checkout):
    folder, make = checkout
    make("run")
    stamp = (folder / ".venv" / "run.stamp").stat()
    os.utime(folder / "pyproject.toml", (stamp.st_atime, stamp.st_mtime + 1))
    assert "install ." in make("run")


def test_make_run_passes_options_on(checkout):
    _, make = checkout
    assert make("run", "ARGS=--input mic")[-1] == "run --input mic"


def system_packages(tmp_path: Path, *, installed: str = "", **commands: str) -> subprocess.CompletedProcess[str]:
    """Run the real script where nothing but coreutils and `commands` is to be found."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name in ("bash", "cat", "env", "grep", "printf", "sed", "sh", "tr", "uname"):
        (bin_folder / name).symlink_to(shutil.which(name) or name)
    script(bin_folder, "dpkg-query", f"printf '{installed}'")
    script(bin_folder, "apt-get", f'echo "$DEBIAN_FRONTEND" "$@" >> {tmp_path}/apt')
    for name, body in commands.items():
        script(bin_folder, name, body)
    command = [ROOT / "scripts" / "system-packages", "test"]
    return subprocess.run(command, env={"PATH": str(bin_folder)}, capture_output=True, text=True)


def test_without_permission_the_install_command_is_printed(tmp_path):
    result = system_packages(tmp_path, id="echo 1000", sudo="exit 1")
    assert result.returncode == 1
    command = "sudo apt-get update && sudo apt-get install --no-install-recommends libportaudio2 "
    assert command in result.stderr
    assert f" {FOR_TESTS} python3 python3-venv\n" in result.stderr
    assert not (tmp_path / "apt").exists()


def test_root_installs_without_a_question(tmp_path):
    result = system_packages(tmp_path, id="echo 0")
    assert result.returncode == 0
    update, install = (tmp_path / "apt").read_text(encoding="utf-8").splitlines()
    assert update.split() == ["update", "-qq"]
    assert install.startswith("noninteractive install -y ")
    assert install.endswith(f" {FOR_TESTS} python3 python3-venv")


def test_a_package_under_a_newer_name_that_provides_it_counts_as_installed(tmp_path):
    installed = r"ii  libglib2.0-0t64 libglib2.0-0 (= 2.84), libglib2.0-0-x\nrc  jackd2 \n"
    result = system_packages(tmp_path, installed=installed, id="echo 1000")
    assert " libgl1 libdbus-1-3 " in result.stderr
    assert " jackd2 " in result.stderr


def test_a_python_that_is_too_old_is_refused_in_one_line(tmp_path):
    old = script(tmp_path, "python3", "exit 1")
    result = subprocess.run(
        [ROOT / "scripts" / "find-python"],
        env={"PATH": os.environ["PATH"], "PYTHON": str(old)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("rtgain: needs Python 3.11 or newer")
    assert result.stderr.count("\n") == 1


ENTRANCES = {
    "rtgain": [str(Path(sys.executable).parent / "rtgain")],
    "python -m rtgain": [sys.executable, "-m", "rtgain"],
    "python main.py": [sys.executable, "main.py"],
}


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_three_ways_in_lead_to_one_program(entrance):
    ran = subprocess.run([*ENTRANCES[entrance], "run", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0
    assert ran.stdout.startswith("usage: rtgain run ")


@pytest.fixture
def example_files(tmp_path):
    """A folder with the files that the examples of README and docs name."""
    song = np.random.default_rng(0).uniform(-0.5, 0.5, 48000)
    soundfile.write(tmp_path / "song.flac", song, 48000)
    soundfile.write(tmp_path / "pair.wav", np.stack([song, song / 4], axis=1), 48000)
    dry = np.random.default_rng(1).uniform(-0.5, 0.5, 5 * 48000)
    soundfile.write(tmp_path / "dry.wav", dry, 48000)
    soundfile.write(tmp_path / "processed.flac", dry / 4, 48000)
    lesson = tmp_path / "lessons" / "real-signals"
    lesson.mkdir(parents=True)
    soundfile.write(lesson / "dry.wav", song, 48000)
    soundfile.write(lesson / "noisy.wav", song / 4, 48000)
    (tmp_path / "pairs.csv").write_text("dry,target\ndry.wav,processed.flac\n", encoding="utf-8")
    (tmp_path / "filters.txt").write_text("Filter 1: ON PK Fc 1000 Hz Gain 3 dB Q 1\n", encoding="utf-8")
    (tmp_path / "moves.csv").write_text("time_s,gain_db\n0,-6\n5,-12\n5,-3\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("command", [line for line in documentation.commands() if "--cluster" not in line])
def test_each_command_of_readme_and_docs_does_what_it_says(command, example_files):
    duration_s = "3" if "--processor eq" in command else "0.5"  # an equalizer takes a second to learn
    arguments = [*shlex.split(command)[1:], *(["--duration", duration_s] if " run " in command else [])]
    ran = rtgain(*arguments, cwd=example_files)
    if "return" in arguments and ran.returncode == 3:  # no sound card here, and nothing else is wrong
        assert re.fullmatch(r"rtgain: no audio input device was found.*\n", ran.stderr)
        return
    assert (ran.returncode, ran.stderr) == (0, "")
    if "-" in arguments:
        assert json.loads(ran.stdout)["frames"] > 0
    if " match " in command and "--manifest" not in command:
        softer = re.search(r"(\d+\.\d+) dB softer", ran.stdout)
        assert softer is not None
        assert float(softer[1]) == pytest.approx(-20 * np.log10(0.25), abs=0.015)
    for name in re.findall(r"--(?:csv|plot|record) (\S+)", command):
        assert (example_files / name).stat().st_size > 0


def test_make_run_without_a_display_says_so_and_ends_with_the_estimate():
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    ran = subprocess.run(
        ["scripts/run", "--gain-db", "-12", "--duration", "3"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.startswith("rtgain: no display")
    result = re.fullmatch(r"−(\S+) ± \d\.\d{4} dB \(×(\S+)\), tracking\n", ran.stdout)
    assert result, ran.stdout
    assert float(result[1]) == pytest.approx(12, abs=0.01)
    assert float(result[2]) == pytest.approx(10 ** (-12 / 20), rel=0.001)
