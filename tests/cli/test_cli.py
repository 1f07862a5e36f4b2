"""The command line as a process: exact files, streams, terminal, exit codes."""

import json
import math
import os
import pty
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest
import soundfile

from rtgain import __version__
from rtgain.audio.sources.demo import DemoSource
from rtgain.bench.servers import JackServer
from rtgain.cli.main import main
from rtgain.output.curve_styles import CLOSED_FORM, ESTIMATE
from tests.commands import command, rows, rtgain, start_rtgain
from tests.polling import TIMEOUT_S

RATE = 48_000
SECONDS = 4

HEADER = (
    "time_s,gain_true_db,gain_est_db,gain_opt_db,std_db,loss,state,steps,delay_ms,polarity,"
    "gain_left_db,gain_right_db,polarity_left,polarity_right"
)

KEYS = [
    "version", "input", "target", "channels", "sample_rate", "duration_s", "processor", "loss", "optimizer", "gain_db",
    "gain_linear", "std_db", "delay_ms", "drift_ppm", "polarity", "state", "channel_gains_db", "channel_polarities",
    "filters", "rmse_db", "settle_s", "estimates", "frames", "dropped_frames", "xruns", "realtime_factor",
    "steps_per_second",
]  # fmt: skip

MEASURED = ("realtime_factor", "steps_per_second")
"""Fields that depend on elapsed time, and so differ between two runs."""

# The environment of a user: that of the tests may switch off Python's buffering.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


@dataclass(frozen=True)
class FinishedRun:
    """A first_run command, and the folder with its outputs."""

    result: tuple[int, str, str]
    """Exit code, standard output and standard error."""
    folder: Path
    summary: dict[str, Any]


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in demo as a FLAC file of four seconds."""
    path = tmp_path_factory.mktemp("song") / "song.flac"
    soundfile.write(path, DemoSource(RATE).read(SECONDS * RATE)[0], RATE, subtype="PCM_24")
    return path


@pytest.fixture(scope="module")
def two_runs(song: Path, tmp_path_factory: pytest.TempPathFactory) -> list[FinishedRun]:
    """Two simultaneous runs of a command on `song`, with noise and every output."""
    folders = [tmp_path_factory.mktemp("run") for _ in range(2)]
    words = ("run", "--headless", "--input", song, "--gain-db", "-12", "--noise-dbfs", "-90")
    outputs = ("--csv", "t.csv", "--json", "s.json", "--record", "m.wav", "--plot", "p.png")
    processes = [
        start_rtgain(*words, *outputs, cwd=folder, env=ENVIRONMENT, fresh=fresh)
        for folder, fresh in zip(folders, (True, False), strict=True)  # with two different hashes of strings, too
    ]
    runs = []
    for process, folder in zip(processes, folders, strict=True):
        streams = process.communicate(timeout=TIMEOUT_S)
        runs.append(FinishedRun((process.returncode, *streams), folder, json.loads((folder / "s.json").read_text())))
    return runs


@pytest.fixture
def first_run(two_runs: list[FinishedRun]) -> FinishedRun:
    return two_runs[0]


# --- what it writes -------------------------------------------------------------------------------


def test_gain_of_a_file_is_estimated_within_a_hundredth_of_a_decibel(first_run: FinishedRun) -> None:
    assert first_run.summary["gain_db"] == pytest.approx(-12.0, abs=0.01)
    assert first_run.summary["gain_linear"] == pytest.approx(10 ** (first_run.summary["gain_db"] / 20))
    assert first_run.summary["rmse_db"] < 0.01
    assert first_run.summary["settle_s"] < 0.5
    assert (first_run.summary["state"], first_run.summary["polarity"]) == ("tracking", 1)


def test_piped_run_prints_only_the_requested_output(first_run: FinishedRun) -> None:
    assert first_run.result == (0, "", "")


def test_csv_has_its_columns_and_one_row_per_estimate(first_run: FinishedRun) -> None:
    text = (first_run.folder / "t.csv").read_text()
    assert text.split("\n")[0] == HEADER
    assert text.endswith("\n")
    table = rows(first_run.folder / "t.csv")
    assert len(table) == first_run.summary["estimates"] == (SECONDS * RATE - 4096) // 1024 + 1
    np.testing.assert_allclose(
        [float(row["time_s"]) for row in table], (2048 + 1024 * np.arange(len(table))) / RATE, atol=0.51e-6
    )
    assert {row["gain_true_db"] for row in table} == {"-12.000000"}
    assert {row["state"] for row in table} == {"converging", "tracking"}
    assert {row["polarity"] for row in table} <= {"0", "1"}
    for row in table:
        for name in ("gain_est_db", "gain_opt_db", "std_db"):
            assert re.fullmatch(r"-?\d+\.\d{6}", row[name])
        assert float(row["loss"]) >= 0
        assert int(row["steps"]) >= 1
        assert re.fullmatch(r"(-?\d+\.\d{6})?", row["delay_ms"])
        assert row["gain_left_db"] == row["gain_right_db"] == row["polarity_left"] == row["polarity_right"] == ""


def test_json_has_its_keys_in_order(first_run: FinishedRun, song: Path) -> None:
    summary = first_run.summary
    assert list(summary) == KEYS
    assert (summary["version"], summary["input"]) == (__version__, str(song))
    assert (summary["sample_rate"], summary["frames"], summary["duration_s"]) == (RATE, SECONDS * RATE, SECONDS)
    assert (summary["loss"], summary["optimizer"]) == ("spectral", "Rprop")
    assert (summary["dropped_frames"], summary["xruns"]) == (0, 0)
    assert (summary["target"], summary["channels"]) == ("reference", 1)
    assert (summary["channel_gains_db"], summary["channel_polarities"]) == ([summary["gain_db"]], [1])
    assert summary["steps_per_second"] * summary["duration_s"] / summary["realtime_factor"] == pytest.approx(
        sum(int(row["steps"]) for row in rows(first_run.folder / "t.csv"))
    )


def test_json_holds_the_last_row_and_the_error_of_tracking_estimates(first_run: FinishedRun) -> None:
    table = rows(first_run.folder / "t.csv")
    last = {name: float(table[-1][name]) for name in ("gain_est_db", "std_db", "delay_ms")}
    assert first_run.summary["gain_db"] == pytest.approx(last["gain_est_db"], abs=1e-6)
    assert first_run.summary["std_db"] == pytest.approx(last["std_db"], abs=1e-6)
    assert first_run.summary["delay_ms"] == pytest.approx(last["delay_ms"], abs=1e-6)
    errors_db = [float(row["gain_est_db"]) + 12.0 for row in table if row["state"] == "tracking"]
    rmse_db = math.sqrt(sum(error**2 for error in errors_db) / len(errors_db))
    assert first_run.summary["rmse_db"] == pytest.approx(rmse_db, abs=1e-6)


def test_two_runs_give_the_same_bytes(two_runs: list[FinishedRun]) -> None:
    for name in ("t.csv", "m.wav", "p.png"):
        one, other = ((run.folder / name).read_bytes() for run in two_runs)
        assert one == other, name
    first, second = ({**run.summary, **dict.fromkeys(MEASURED)} for run in two_runs)
    assert first == second


def test_figure_is_a_png_with_the_curves(first_run: FinishedRun) -> None:
    pixels = matplotlib.image.imread(first_run.folder / "p.png")
    assert pixels.shape == (1000, 1600, 4)
    for curve in (ESTIMATE, CLOSED_FORM):
        color = np.array(matplotlib.colors.to_rgb(curve.light))
        drawn = np.abs(pixels[..., :3] - color).max(axis=-1) < 0.02
        assert np.ptp(np.flatnonzero(drawn.any(axis=0))) > 500, curve.label


# --- its streams ----------------------------------------------------------------------------------


def test_standard_output_holds_only_the_table_or_the_result(
    first_run: FinishedRun, song: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--headless", "--input", str(song), "--gain-db", "-12", "--noise-dbfs", "-90"]
    assert main([*words, "--csv", "-", "--json", str(tmp_path / "s.json")]) == 0
    assert capfd.readouterr() == ((first_run.folder / "t.csv").read_text(), "")
    assert main([*words, "--json", "-"]) == 0
    out, errors = capfd.readouterr()
    assert list(json.loads(out)) == KEYS
    assert errors == ""


def test_terminal_shows_progress_and_result_next_to_the_output() -> None:
    master, terminal = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": "xterm", "COLUMNS": "100"}
    words = ("run", "--headless", "--gain-db", "-12", "--duration", "2", "--json", "-")
    process = start_rtgain(*words, stderr=terminal, env=environment)
    os.close(terminal)
    shown = bytearray()
    try:
        while piece := os.read(master, 4096):
            shown += piece
    except OSError:  # how Linux says that nobody has the terminal open any more
        pass
    os.close(master)
    out, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    assert list(json.loads(out)) == KEYS
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert re.search(r"-1[12]\.\d{3} dB (converging|tracking)", text)  # the line that is drawn over and over
    assert re.search(r"−1[12]\.\d{4} ± \d\.\d{4} dB \(×0\.25\d{3}\), tracking\r\n$", text)
    assert text.count("\n") < 10


def test_closed_output_pipe_ends_the_run_quietly(tmp_path: Path) -> None:
    """As with ``rtgain run … --csv - | head -1``; the other outputs are complete up to that moment."""
    process = start_rtgain(
        *("run", "--headless", "--clock", "timer", "--duration", "60", "--csv", "-"),
        *("--json", tmp_path / "s.json", "--record", tmp_path / "m.wav"),
        env=ENVIRONMENT,
    )
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline() == HEADER + "\n"
    process.stdout.close()
    assert process.wait(TIMEOUT_S) == 0
    assert process.stderr.read() == ""
    summary = json.loads((tmp_path / "s.json").read_text())
    assert 0 <= summary["duration_s"] < 30
    assert soundfile.info(tmp_path / "m.wav").frames == summary["frames"]


@pytest.mark.parametrize("words", ["--help", "run --help", "--version", "devices", "devices --json"])
def test_closed_pipe_or_full_disk_gives_no_traceback(words: str) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    unread = rtgain(*words.split(), stdout=write_end, env=ENVIRONMENT)
    os.close(write_end)
    assert (unread.returncode, unread.stderr) == (0, "")
    with Path("/dev/full").open("w") as full:
        unwritten = rtgain(*words.split(), stdout=full, env=ENVIRONMENT)
    assert unwritten.returncode == 2
    assert unwritten.stderr == (
        "rtgain: standard output: cannot be written (No space left on device); "
        "choose another location or free some space\n"
    )


def test_result_on_a_full_disk_is_reported_in_one_line(
    song: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert main(["run", "--headless", "--input", str(song), "--duration", "0.5", "--json", "-"]) == 2
    errors = capfd.readouterr().err
    assert errors.startswith("rtgain: standard output: cannot be written (No space left on device); ")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(("words", "code"), [("devices", 0), ("run --headless --loss l1", 2)])
def test_closed_standard_streams_do_not_stop_the_program(words: str, code: int) -> None:
    """As with ``<&- >&- 2>&-``, or in a service without standard streams."""
    run = ["sh", "-c", '"$@" <&- >&- 2>&-', "sh", *command(*words.split())]
    assert subprocess.run(run, env=ENVIRONMENT).returncode == code


def test_ascii_locale_and_read_only_home_do_not_stop_the_program(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "größe.wav", DemoSource(RATE).read(RATE)[0], RATE)
    environment = {name: value for name, value in ENVIRONMENT.items() if name not in ("LANG", "LC_CTYPE")}
    environment |= {"LC_ALL": "C", "HOME": "/proc", "XDG_CACHE_HOME": "/proc", "XDG_CONFIG_HOME": "/proc"}
    run = command("run", "--headless", "--input", "größe.wav", "--csv", "maß.csv", "--json", "-")
    process = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert (process.returncode, process.stderr) == (0, "")
    assert json.loads(process.stdout)["input"] == "größe.wav"
    assert len(rows(tmp_path / "maß.csv")) == json.loads(process.stdout)["estimates"]


# --- devices --------------------------------------------------------------------------------------


def test_devices_are_listed_as_a_table_and_as_json(jack_server: JackServer) -> None:
    table, listing = rtgain("devices"), rtgain("devices", "--json")
    assert (table.returncode, table.stderr, listing.returncode, listing.stderr) == (0, "", 0, "")
    assert table.stdout.splitlines() == [
        "index   in  out    rate  host API              name",
        "    0    2    2   48000  JACK Audio Connection Kit  system",
    ]
    assert json.loads(listing.stdout) == [
        {
            "index": 0,
            "name": "system",
            "host_api": "JACK Audio Connection Kit",
            "input_channels": 2,
            "output_channels": 2,
            "default_sample_rate": RATE,
            "default_latency_s": pytest.approx(jack_server.period / RATE),
        }
    ]


def test_machine_without_devices_has_an_empty_list_with_a_message() -> None:
    table, listing = rtgain("devices"), rtgain("devices", "--json")
    assert (table.returncode, table.stderr) == (0, "")
    assert table.stdout.splitlines() == [
        "index   in  out    rate  host API              name",
        "no audio devices found; files and synthetic sources work without one",
    ]
    assert (listing.returncode, json.loads(listing.stdout), listing.stderr) == (0, [], "")


def test_help_names_every_option() -> None:
    help_text = rtgain("run", "--help")
    assert help_text.returncode == 0
    assert help_text.stdout.isascii()
    for option in (
        *("--headless", "--input", "--input-device", "--output-device", "--clock", "--block", "--sample-rate"),
        *(
            "--duration",
            "--loop",
            "--gain-db",
            "--gain",
            "--automation",
            "--eq",
            "--polarity",
            "--phase-deg",
            "--delay-ms",
        ),
        *("--noise-dbfs", "--target", "--loss", "--optimizer", "--lr", "--steps", "--window-ms", "--hop-ms"),
        *("--align", "--csv", "--json", "--plot", "--record", "--seed", "--preset"),
    ):
        assert re.search(rf"^  {option}\b", help_text.stdout, re.MULTILINE), option
    assert rtgain("--version").stdout == f"rtgain {__version__}\n"


def test_a_word_too_long_for_a_file_name_is_rejected_in_one_line() -> None:
    ran = rtgain("a" * 300, "x")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("rtgain: ")
    assert ran.stderr.count("\n") == 1


def test_several_targets_are_opened_in_the_window(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    opened = []
    monkeypatch.setattr("gui.app.run", lambda config: opened.append(config) or 0)
    monkeypatch.setattr("rtgain.session.startup.load_estimator", lambda *_, **__: None)
    assert main(["dry.wav", "a.wav", "b.flac", "c.wav", "--loop"]) == 0
    assert (opened[0].input, opened[0].target, opened[0].loop) == ("dry.wav", "a.wav", True)
    assert opened[0].second_recordings == ("a.wav", "b.flac", "c.wav")
    assert main(["dry.wav", "a.wav"]) == 0
    assert opened[1].target_files == ()
    assert main(["dry.wav", "a.wav", "b.wav", "--headless"]) == 2
    assert "several targets are for the window" in capsys.readouterr().err
