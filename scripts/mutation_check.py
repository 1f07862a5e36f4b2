"""Mutation testing: remove each protection from a copy of rtgain, and expect its check to fail.

``python -m scripts.mutation_check`` prints a table with one row per protection; ``--only WORD`` selects those with that
word in their names. The exit code is 1 if a check passed without its protection, or failed with it. Run no other rtgain
meanwhile: without its protection, one run can remove the shared memory of another.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("rtgain", "gui", "tests", "scripts", "main.py", "pyproject.toml", "README.md", "docs")
TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Protection:
    """Protection `name`: with `code` in `file` replaced by `without`, `check` must fail.

    `check` is a test, or a script with its arguments, as after ``python -m``.
    """

    name: str
    file: str
    code: str
    without: str
    check: str

    @property
    def command(self) -> list[str]:
        """Command of the check, to be run in a copy of the project."""
        words = (
            ["pytest", "-q", "-x", "-p", "no:cacheprovider", self.check] if "::" in self.check else self.check.split()
        )
        return [sys.executable, "-m", *words]

    def remove(self, copy: Path) -> None:
        """Remove it from a copy of the project. Raises `ValueError` unless its code occurs exactly once."""
        text = (copy / self.file).read_text(encoding="utf-8")
        if text.count(self.code) != 1:
            raise ValueError(f"{self.name}: {self.file} contains {self.code!r} {text.count(self.code)} times, not once")
        (copy / self.file).write_text(text.replace(self.code, self.without), encoding="utf-8")


SAFETY = "tests/audio/engine/test_realtime_safety.py::"
FILES = "tests/test_file_faults.py::"
PROCESSES = "tests/test_process_faults.py::"
CLOCKS = "tests/test_clock_faults.py::"
FAULTS = "tests/test_faults.py::"
SUPERVISOR = "tests/estimation/test_supervisor.py::"
CLEANUP = "tests/audio/engine/test_shm_cleanup.py::"
SECURITY = "tests/test_security.py::"
EQUALIZER = "tests/audio/effects/test_equalizer.py::"
BLIND = "tests/gui/test_blind.py::"
BATCH = "tests/match/test_batch.py::"
BAD = "tests/cli/test_bad_input.py::test_bad_input_gets_its_line_and_leaves_no_files"

PROTECTIONS = (
    Protection(
        "the callback allocates nothing",
        "rtgain/audio/engine/kernel.py",
        "    for start in range(0, len(out), CHUNK_FRAMES):\n",
        "    state.dry[0, 0] = np.zeros(len(out) + 1)[0]\n    for start in range(0, len(out), CHUNK_FRAMES):\n",
        SAFETY + "test_blocks_of_changing_size_allocate_nothing",
    ),
    Protection(
        "noise is counted by frames, not by blocks",
        "rtgain/audio/engine/kernel.py",
        "process_reference_block(state.reference_path, start, ",
        "process_reference_block(state.reference_path, 0, ",
        SAFETY + "test_blocks_of_changing_size_are_exact_to_the_bit",
    ),
    Protection(
        "a stopped audio server is detected",
        "rtgain/audio/io/portaudio_driver.py",
        "return not stream.active or now_s - self._last_progress_s > DEVICE_TIMEOUT_S",
        "return False",
        FAULTS + "test_lost_device_is_named_and_outputs_are_complete_up_to_the_loss",
    ),
    Protection(
        "a restarted audio server can be used",
        "rtgain/audio/io/portaudio_driver.py",
        "if not reload_portaudio(sounddevice):",
        "if True:",
        "tests/audio/io/test_drivers.py::test_lost_device_that_returns_is_used_again_by_the_same_process",
    ),
    Protection(
        "each JACK client has its own name",
        "rtgain/audio/io/portaudio_reload.py",
        "        set_client_name(name)\n",
        "        pass\n",
        "tests/audio/io/test_drivers.py::test_target_return_plays_the_source_and_records_the_input",
    ),
    Protection(
        "a device at the wrong sample rate is reported",
        "rtgain/records/snapshot.py",
        "CLOCK_RATE_TOLERANCE = 0.02",
        "CLOCK_RATE_TOLERANCE = 0.2",
        CLOCKS + "test_device_at_nine_tenths_of_its_rate_is_reported_as_slow",
    ),
    Protection(
        "a killed estimator is restarted",
        "rtgain/estimation/supervisor.py",
        "            if not worker.alive:\n                self._restart()\n            elif",
        "            if",
        "tests/session/test_session.py::test_audio_continues_and_the_estimator_restarts_after_a_kill_and_a_hang",
    ),
    Protection(
        "a restarted estimator resumes from the last estimate",
        "rtgain/estimation/supervisor.py",
        "self.worker_type(self._memory.name, self._settings, self._last)",
        "self.worker_type(self._memory.name, self._settings)",
        SUPERVISOR + "test_killed_process_is_restarted_from_its_last_estimate",
    ),
    Protection(
        "a hung estimator is replaced",
        "rtgain/estimation/supervisor.py",
        "elif self._ready and self._is_hung(bool(estimates)):",
        "elif self._ready and False:",
        SUPERVISOR + "test_hung_process_is_replaced",
    ),
    Protection(
        "an estimator reports its exception",
        "rtgain/estimation/process/worker_process.py",
        'commands.send(FailureMessage(f"{type(error).__name__}: {error}"))',
        "pass",
        SUPERVISOR + "test_process_that_always_fails_is_not_restarted",
    ),
    Protection(
        "NaN from the estimator is not played",
        "rtgain/audio/effects/matched_path.py",
        "if abs(gain) <= MAX_VALID_GAIN:",
        "if True:",
        PROCESSES + "test_nan_estimates_keep_the_last_gain_and_display_as_unknown",
    ),
    Protection(
        "a late source plays as counted silence",
        "rtgain/audio/engine/kernel.py",
        "control.underrun_frames += len(out) - available",
        "pass",
        FILES + "test_unresponsive_disk_plays_as_counted_silence_without_losing_sound",
    ),
    Protection(
        "a late source continues without a gap",
        "rtgain/audio/engine/kernel.py",
        "next_frame = state.source_read_frame + available",
        "next_frame = state.source_read_frame + len(out)",
        FILES + "test_unresponsive_disk_plays_as_counted_silence_without_losing_sound",
    ),
    Protection(
        "a playing file stays open",
        "rtgain/audio/sources/file_source.py",
        "        samples = self._sound.read(wanted).T",
        "        Decoder(self.path).close()\n        samples = self._sound.read(wanted).T",
        FILES + "test_file_deleted_while_playing_is_played_to_its_end",
    ),
    Protection(
        "a file truncated while playing is named",
        "rtgain/audio/io/decoder.py",
        "            raise _TruncatedFileError(self.path, f\"it ends at",
        "            return np.empty((self.channels, self.sample_rate), np.float32)\n"
        "            raise _TruncatedFileError(self.path, f\"it ends at",
        FILES + "test_file_truncated_while_playing_is_named_and_outputs_remain",
    ),
    Protection(
        "a file that has been written is counted again",
        "rtgain/audio/io/decoder.py",
        "key = self.path.absolute(), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns",
        "key = (self.path.absolute(),)",
        "tests/audio/io/test_decoder.py::test_file_that_was_counted_before_is_decoded_alike",
    ),
    Protection(
        "a pair is played along its delay as soon as that is known",
        "gui/compare_controller.py",
        "            self._session_actions.replay_target()",
        "            pass",
        "tests/gui/test_pair.py::test_long_pair_is_played_before_its_delay_is_followed",
    ),
    Protection(
        "a full disk ends a recording in order",
        "rtgain/audio/io/recorder.py",
        "            soundfile.LibsndfileError,\n            AssertionError,\n",
        "",
        FILES + "test_full_disk_ends_a_recording_with_one_line_and_leaves_it_complete",
    ),
    Protection(
        "a recording can be played after a crash",
        "rtgain/audio/io/recorder.py",
        "            self._command(_SFC_UPDATE_HEADER_NOW, 0)\n            self._frames_at_update",
        "            self._frames_at_update",
        FAULTS + "test_killed_run_leaves_complete_rows_a_recording_and_no_process",
    ),
    Protection(
        "a CSV on a full disk ends with a complete row",
        "rtgain/output/csv_writer.py",
        "                    truncate_to_complete_rows(Path(self._name))\n",
        "                    pass\n",
        FILES + "test_csv_on_a_full_disk_is_truncated_to_complete_rows_and_other_outputs_are_finished",
    ),
    Protection(
        "each row is written at once",
        "rtgain/output/csv_writer.py",
        "            self._file.flush()\n",
        "",
        "tests/output/test_trace.py::test_row_is_in_the_file_as_soon_as_it_is_added",
    ),
    Protection(
        "a JSON, figure or preset is replaced atomically",
        "rtgain/system/atomic_write.py",
        '            with part.open("xb") as file:\n'
        "                file.write(content)\n            part.replace(destination)\n",
        "            destination.write_bytes(content)\n",
        FILES + "test_full_disk_keeps_the_previously_saved_file",
    ),
    Protection(
        "a read-only directory is reported at the start",
        "rtgain/output/output_files.py",
        'if option in ("--json", "--plot", "--eq-out"):',
        "if False:",
        FILES + "test_read_only_directory_is_reported_before_playback",
    ),
    Protection(
        "one file has one writer",
        "rtgain/system/file_lock.py",
        "fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "pass",
        PROCESSES + "test_file_locked_by_another_run_is_rejected",
    ),
    Protection(
        "a system clock that is set back has no effect",
        "rtgain/audio/io/timer_driver.py",
        "import time\n",
        "import time\n\ntime.monotonic = time.time\n",
        CLOCKS + "test_system_clock_set_back_by_an_hour_has_no_effect",
    ),
    Protection(
        "the timer clock does not catch up after a suspension",
        "rtgain/audio/io/timer_driver.py",
        "if ahead_s < -MAX_CATCH_UP_S:",
        "if False:",
        CLOCKS + "test_suspended_program_resumes_with_all_its_processes",
    ),
    Protection(
        "no device counts as lost after a suspension",
        "rtgain/audio/io/portaudio_driver.py",
        " or was_suspended:",
        ":",
        "tests/audio/io/test_drivers.py::test_suspension_of_the_program_is_not_a_lost_device",
    ),
    Protection(
        "a signal to the process group ends the session, not only its estimator",
        "rtgain/estimation/process/fork_server.py",
        "signal.SIG_BLOCK, SHUTDOWN_SIGNALS",
        "signal.SIG_BLOCK, set()",
        FAULTS + "test_interrupted_run_has_written_everything_up_to_the_interruption",
    ),
    Protection(
        "SIGHUP ends the session normally",
        "rtgain/system/shutdown_signals.py",
        "signal.SIGTERM} | HANGUP",
        "signal.SIGTERM}",
        FAULTS + "test_interrupted_run_has_written_everything_up_to_the_interruption",
    ),
    Protection(
        "Ctrl-C during startup is not lost",
        "rtgain/cli/main.py",
        "        interruption = InterruptHandler()  # before the imports, which can swallow the exception of Ctrl-C\n"
        "        config, paths = parse_session(options)\n",
        "        config, paths = parse_session(options)\n        interruption = InterruptHandler()\n",
        "tests/cli/test_run.py::test_ctrl_c_during_startup_is_a_request_to_finish",
    ),
    Protection(
        "shared memory of a crashed run is removed",
        "rtgain/audio/engine/shared_memory.py",
        "        remove_stale_blocks()\n",
        "",
        CLEANUP + "test_stale_block_is_removed_when_the_next_one_is_created",
    ),
    Protection(
        "shared memory in use is kept",
        "rtgain/audio/engine/shm_cleanup.py",
        "            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "",
        CLEANUP + "test_block_in_use_stays_whichever_process_looks",
    ),
    Protection(
        "shared memory of another user is kept",
        "rtgain/audio/engine/shm_cleanup.py",
        "status.st_uid == os.geteuid() and ",
        "",
        CLEANUP + "test_block_of_another_user_stays",
    ),
    Protection(
        "a link with the name of shared memory is not followed",
        "rtgain/audio/engine/shm_cleanup.py",
        " | os.O_NOFOLLOW",
        "",
        CLEANUP + "test_link_with_the_name_of_a_block_is_not_followed",
    ),
    Protection(
        "a preset nested too deeply is rejected",
        "rtgain/config/presets.py",
        "except RecursionError:",
        "except ZeroDivisionError:",
        BAD,
    ),
    Protection(
        "a preset that is not JSON is rejected",
        "rtgain/config/presets.py",
        '    except ValueError as error:\n        raise InputError(f"{path}: not JSON',
        '    except ZeroDivisionError as error:\n        raise InputError(f"{path}: not JSON',
        "scripts.fuzz --minutes 0.5 --kind presets",
    ),
    Protection(
        "NaN in a file is reported before playback",
        "rtgain/session/session.py",
        "            self._opened.recording.check_finite()\n",
        "            pass\n",
        BAD,
    ),
    Protection(
        "an output never overwrites an input",
        "rtgain/output/output_files.py",
        "            if resolved in owners:",
        "            if False:",
        BAD,
    ),
    Protection(
        "frame counters have 64 bits",
        "rtgain/audio/engine/ring_buffer.py",
        "return load_counter(self.address + WRITTEN_OFFSET)",
        "return load_counter(self.address + WRITTEN_OFFSET) & (2**31 - 1)",
        "scripts.soak offline 0.3 31",
    ),
    Protection(
        "the history of a session is limited",
        "rtgain/session/estimate_history.py",
        "        self._rows = np.full((2 * MAX_ESTIMATES, estimate_rows(channels)), np.nan)\n",
        "        self._rows = np.full((2, estimate_rows(channels)), np.nan)\n        self._keep_all = True\n",
        "scripts.soak offline 0.3 31",
    ),
    Protection(
        "no socket is opened",
        "rtgain/session/session.py",
        "        self._runner.start()\n",
        '        self._socket = __import__("socket").create_server(("127.0.0.1", 0))\n'
        "        self._runner.start()\n",
        SECURITY + "test_headless_session_opens_no_sockets_or_connections",
    ),
    Protection(
        "no network module is imported",
        "rtgain/config/presets.py",
        "import json\n",
        "import json\nimport urllib.request\n",
        SECURITY + "test_no_network_module_is_imported",
    ),
    Protection(
        "no data is unpickled",
        "rtgain/config/presets.py",
        "import json\n",
        "import json\nimport pickle\n",
        SECURITY + "test_no_module_unpickles_data_or_executes_text",
    ),
    Protection(
        "names of shared memory are unguessable",
        "rtgain/audio/engine/shm_cleanup.py",
        'f"rtgain-{secrets.token_hex(_RANDOM_BYTES)}"',
        'f"rtgain-{os.getpid():020x}"',
        "tests/audio/engine/test_shared_memory.py::test_block_names_are_unguessable_and_private",
    ),
    Protection(
        "names of temporary files are unguessable",
        "rtgain/system/atomic_write.py",
        'f".rtgain-{secrets.token_hex(8)}.part"',
        '".rtgain.part"',
        "tests/output/test_trace.py::test_temporary_file_has_a_random_name_and_is_never_a_link",
    ),
    Protection(
        "new filters are reached in a ramp",
        "rtgain/audio/effects/equalizer.py",
        "else state.frames + SETTLE_FRAMES",
        "else SETTLE_FRAMES",
        EQUALIZER + "test_sudden_large_changes_do_not_click",
    ),
    Protection(
        "a half-written set of filters is not used",
        "rtgain/audio/effects/equalizer.py",
        "if sequence == state.sequence or sequence & 1 != 0:",
        "if sequence == state.sequence:",
        EQUALIZER + "test_invalid_and_unfinished_sets_keep_the_last_filters",
    ),
    Protection(
        "unstable filters are not used",
        "rtgain/audio/effects/equalizer.py",
        "    if not is_valid:\n        return\n",
        "",
        EQUALIZER + "test_invalid_and_unfinished_sets_keep_the_last_filters",
    ),
    Protection(
        "audio never imports torch",
        "rtgain/audio/io/timer_driver.py",
        "import threading\n",
        "import threading\n\nimport torch\n",
        "tests/test_layers.py::test_audio_and_gui_never_import_torch",
    ),
    Protection(
        "an estimator that is killed three times is not restarted",
        "rtgain/estimation/supervisor.py",
        "if self._consecutive_failures >= MAX_CONSECUTIVE_FAILURES:",
        "if False:",
        "tests/session/test_session.py::test_estimator_that_fails_repeatedly_is_not_restarted_and_audio_continues",
    ),
    Protection(
        "the delay between two recordings is followed",
        "rtgain/session/io_setup.py",
        'curve=offset.curve if offset and config.align == "on" else None',
        "curve=None",
        "tests/session/test_delay_curve.py::test_every_tracking_estimate_has_the_gain_and_the_polarity",
    ),
    Protection(
        "a trial replaces learned filters only if it is better",
        "rtgain/estimation/equalizer_learner.py",
        "return trial if trial.error_sigmas < TRIAL_GAIN * fit.error_sigmas else fit",
        "return trial",
        "tests/estimation/test_equalizer_learner.py::test_trial_is_used_only_if_it_is_clearly_better",
    ),
    Protection(
        "fewer filters replace learned ones only at a lower cost",
        "rtgain/estimation/equalizer_learner.py",
        "return reduced if reduced.cost < fit.cost and reduced.error_sigmas <= GOOD_SIGMAS else fit",
        "return reduced",
        "tests/estimation/test_equalizer_learner.py::test_two_peaks_that_are_there_stay_two",
    ),
    Protection(
        "a gain that moves is followed behind learned filters",
        "rtgain/estimation/equalizer_learner.py",
        "self._fit = fit.amplified_by(change_db)",
        "self._fit = fit",
        "tests/session/test_equalizer.py::test_tracked_gain_that_moves_lies_within_its_deviations",
    ),
    Protection(
        "a narrow filter in the bass is not smoothed by windows and bands",
        "rtgain/estimation/equalizer_learner.py",
        "return (dry.bins.conj() * (filtered.bins / self._response[::2]))[0]",
        "return dry.power[0]",
        "tests/match/test_equalizer.py::test_settings_of_another_program_are_read_off",
    ),
    Protection(
        "of two good first fits the one with the settings that are measured is used",
        "rtgain/estimation/equalizer_learner.py",
        "return min(flat, leveled, key=lambda fit: fit.cost)",
        "return flat",
        "tests/session/test_equalizer.py::test_states_follow_the_learned_filters",
    ),
    Protection(
        "noise of the dry recording is no expander, equalizer or fade",
        "rtgain/match/gain_model.py",
        "model = _fit(pair, noise)",
        "break",
        "tests/match/test_findings.py::test_difference_is_found_at_three_strengths_with_its_value_and_nothing_else",
    ),
    Protection(
        "a distorted steady sound is no noise of the dry recording",
        "rtgain/match/explain.py",
        "or residual.residual_db < MIN_NOISE_DB or forward.is_nonlinear:",
        "or residual.residual_db < MIN_NOISE_DB:",
        "tests/match/test_findings.py::test_distortion_of_a_steady_sound_is_no_noise_of_the_dry_recording",
    ),
    Protection(
        "a drift that changes is no staircase of jumps",
        "rtgain/estimation/offset/follow.py",
        "if frame > bent and self._bend(frame):",
        "if False:",
        "tests/estimation/offset/test_follow.py::test_drift_that_changes_is_found_with_its_times_and_is_no_jump",
    ),
    Protection(
        "a drift that changes smoothly is followed",
        "rtgain/estimation/offset/delay_fit.py",
        "in sorted({min(count, room) for count in EQUAL_BENDS}):",
        "in ():",
        "tests/estimation/offset/test_follow.py::test_drift_that_changes_smoothly_is_followed",
    ),
    Protection(
        "a filter that delays some frequencies makes no jump",
        "rtgain/estimation/offset/follow.py",
        "return with_jump > JUMP_ADVANTAGE * without",
        "return True",
        "tests/estimation/offset/test_follow.py::test_filter_that_delays_some_frequencies_makes_no_jump",
    ),
    Protection(
        "a moved high shelf is no moved gain",
        "rtgain/estimation/filtered_gain.py",
        "> MAX_DISAGREEING:",
        "> 1.0:",
        "tests/session/test_equalizer.py::test_tracked_gain_holds_while_a_high_shelf_of_the_reference_moves",
    ),
    Protection(
        "noise above the sound of the dry recording is no bandwidth",
        "rtgain/match/findings.py",
        "MIN_SOUND_TO_NOISE * noise *",
        "0.0 * noise *",
        "tests/match/test_findings.py::test_noise_of_a_dry_recording_above_the_end_of_its_sound_is_no_bandwidth",
    ),
    Protection(
        "estimates of a long pair have a largest number",
        "rtgain/match/pair.py",
        "if len(estimates) > MAX_ESTIMATES:",
        "if False:",
        "tests/match/test_pair.py::test_long_pair_keeps_a_part_of_its_estimates_with_the_same_gain",
    ),
    Protection(
        "the error of a codec is no moving level",
        "rtgain/match/findings.py",
        "if motion.range_db < MIN_MOTION_DB or not motion.is_certain:",
        "if motion.range_db < MIN_MOTION_DB:",
        "tests/match/test_findings.py::test_error_of_a_codec_is_no_moving_level",
    ),
    Protection(
        "each trial of a blind test is drawn",
        "rtgain/listening/blind_test.py",
        'return "target" if secrets.randbits(1) else "dry"',
        'return "target"',
        "tests/listening/test_blind_test.py::test_draws_of_the_system_are_uniform_and_independent",
    ),
    Protection(
        "a trial leaves no trace of the drawn signal",
        "gui/blind_controller.py",
        "            self._controller.set_monitor(test.signal_of(button))\n",
        "            self._controller.set_monitor(test.signal_of(button))\n"
        "            log.debug(test.signal_of(button))\n",
        BLIND + "test_nothing_in_the_window_depends_on_the_drawn_signal",
    ),
    Protection(
        "a batch that is resumed repeats no pair",
        "rtgain/match/batch.py",
        "if has_failed is None:",
        "if True:",
        BATCH + "test_second_run_matches_only_missing_pairs_and_replaces_an_incomplete_row",
    ),
    Protection(
        "an incomplete row of the results is replaced",
        "rtgain/match/manifest.py",
        "        os.truncate(self.path, table.complete_bytes)\n",
        "",
        BATCH + "test_incomplete_last_row_of_the_results_is_replaced",
    ),
    Protection(
        "a file that only begins like results is not emptied",
        "rtgain/match/manifest.py",
        '",".join(self._header) + "\\r\\n").encode()',
        '",".join(self._header)).encode()',
        BATCH + "test_file_that_only_begins_like_results_is_refused_and_not_changed",
    ),
    Protection(
        "a pair whose process is killed is matched again",
        "rtgain/match/pair_process.py",
        "MAX_LOSSES = 3",
        "MAX_LOSSES = 1",
        BATCH + "test_pair_that_kills_its_process_three_times_costs_no_other_pair",
    ),
    Protection(
        "dependencies are bounded",
        "pyproject.toml",
        '"numpy>=2.0,<3"',
        '"numpy>=2.0"',
        SECURITY + "test_every_requirement_has_two_bounds_and_a_reason",
    ),
)  # fmt: skip


def copy_to(folder: Path) -> None:
    """Copy what the checks need from the project."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy2(source, folder / name)


def run(protection: Protection, copy: Path) -> subprocess.CompletedProcess[str]:
    """Run the check in a copy of the project, with the copy's code in all its processes."""
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    try:
        return subprocess.run(
            protection.command,
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(protection.command, 1, f"E  did not end within {TIMEOUT_S:.0f} s", "")


def failure_line(run: subprocess.CompletedProcess[str]) -> str:
    """First line of the error of a failed check."""
    errors = re.findall(r"^E +(.+)$", run.stdout, re.MULTILINE)
    line = errors[0] if errors else (run.stdout + run.stderr).strip().splitlines()[-1]
    return line.replace("|", " ").replace("`", "'")[:110]


def main() -> int:
    """Print the table of the selected protections. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", metavar="WORD", help="protections with that word in their names")
    only = parser.parse_args().only
    failed = 0
    passed: dict[str, bool] = {}
    print("| protection | test | with it | without it |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="rtgain-") as folder:
        copy = Path(folder)  # one for all rows: compiled code is cached by path
        copy_to(copy)
        for protection in PROTECTIONS:
            if only not in protection.name:
                continue
            if protection.check not in passed:
                passed[protection.check] = run(protection, copy).returncode == 0
            protection.remove(copy)
            without = run(protection, copy)
            shutil.copy2(ROOT / protection.file, copy / protection.file)
            holds = passed[protection.check] and without.returncode == 1
            failed += not holds
            print(
                f"| {protection.name} | `{protection.check.rpartition('::')[2]}` "
                f"| {'passes' if passed[protection.check] else '**fails**'} "
                f"| {'**passes**' if without.returncode == 0 else f'fails: `{failure_line(without)}`'} |",
                flush=True,
            )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
