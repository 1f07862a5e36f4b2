"""Three clocks drive one engine: the same samples in, the same in its ring, at the speed that each promises."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from rtgain.audio.demo import DemoSource
from rtgain.audio.devices import Device, DeviceSetup, choose_devices, devices
from rtgain.audio.drivers import DeviceDriver, FastDriver, RealtimeDriver
from rtgain.audio.engine import Engine
from rtgain.audio.memory import DRY, TARGET
from rtgain.audio.prefetch import Prefetch
from rtgain.audio.sources import FileSource, PinkSource, SineSource
from rtgain.bench.servers import JackServer
from rtgain.errors import DeviceError, InputError
from tests.tape import JackTape
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.realtime

RATE = 48_000
MINUS_12_DB = 10 ** (-12 / 20)


def frames(engine: Engine) -> int:
    return int(engine.memory.control["frames"])


def noise(count: int, channels: int = 1) -> np.ndarray:
    return (0.1 * np.random.default_rng(1).standard_normal((count, channels))).astype(np.float32)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """1.5 s of noise in a stereo file at the engine's rate."""
    soundfile.write(tmp_path / "noise.wav", noise(72_000, 2), RATE, subtype="FLOAT")
    return tmp_path / "noise.wav"


# --- the fast clock -------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 63, 480, 4096, 65_536])
def test_fast_clock_passes_every_frame_whatever_the_block(file: Path, block: int) -> None:
    with Engine(RATE) as engine:
        engine.set_reference(gain_db=-12.0)
        driver = FastDriver(engine, FileSource(file), block)
        driver.start()
        assert driver.advance(10_000) == 10_000
        assert engine.memory.control["ended"] == 0
        assert driver.advance(10**6) == 62_000
        assert driver.advance(1000) == 0
        driver.stop()
        assert frames(engine) == engine.memory.control["end_frame"] == 72_000
        assert engine.memory.control["ended"] == 1
        rows = engine.memory.audio.read(0, 72_000)
        expected = FileSource(file).read(72_000)[0]
        np.testing.assert_array_equal(rows[DRY], expected)
        np.testing.assert_allclose(rows[TARGET], expected * MINUS_12_DB, rtol=1e-6)
        assert 0 < driver.load < 1


def test_fast_clock_takes_the_target_from_the_second_channel(file: Path) -> None:
    with Engine(RATE, target="channel") as engine:
        assert FastDriver(engine, FileSource(file, channels=2)).advance(10**6) == 72_000
        np.testing.assert_array_equal(
            engine.memory.audio.read(0, 72_000)[[DRY, TARGET]], FileSource(file, channels=2).read(72_000)
        )


def test_fast_clock_is_faster_than_time() -> None:
    with Engine(RATE) as engine:
        driver = FastDriver(engine, SineSource(RATE))
        start_s = time.perf_counter()
        driver.advance(30 * RATE)
        assert time.perf_counter() - start_s < 15


def test_fast_clock_raises_where_the_file_is_damaged(tmp_path: Path) -> None:
    with Engine(RATE) as engine, pytest.raises(InputError, match="cannot be read after 0:04"):
        FastDriver(engine, FileSource(damaged(tmp_path))).advance(10**6)


def damaged(folder: Path) -> Path:
    """Ten seconds of noise, of which the second half cannot be decoded."""
    path = folder / "damaged.flac"
    soundfile.write(path, noise(480_000), RATE)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 3000] = bytes(3000)
    path.write_bytes(content)
    return path


# --- the real-time clock --------------------------------------------------------------------------


@pytest.mark.parametrize("block", [64, 512, 4096])
def test_realtime_clock_keeps_the_rate_and_gives_the_fast_clocks_bits(file: Path, block: int) -> None:
    with Engine(RATE) as engine, Engine(RATE) as fast:
        for each in (engine, fast):
            each.set_reference(gain_db=-12.0, phase_deg=37.0)
        FastDriver(fast, FileSource(file)).advance(72_000)
        driver = RealtimeDriver(engine, FileSource(file), block)
        start_s = time.monotonic()
        driver.start()
        until(lambda: frames(engine) >= 72_000)
        took_s = time.monotonic() - start_s
        driver.stop()
        assert 72_000 / RATE - block / RATE - 0.01 < took_s < 72_000 / RATE + 0.5
        assert engine.memory.control["starved_frames"] == 0
        assert engine.memory.control["end_frame"] == 72_000
        np.testing.assert_array_equal(engine.memory.audio.read(0, 72_000), fast.memory.audio.read(0, 72_000))
        assert 0 < driver.load < 1
        assert driver.error is None


def test_realtime_clock_stops_at_once_and_for_good() -> None:
    with Engine(RATE) as engine:
        driver = RealtimeDriver(engine, DemoSource(RATE), block=65_536)  # the next block is 1.4 s away
        driver.start()
        until(lambda: frames(engine) > 0)
        start_s = time.monotonic()
        driver.stop()
        driver.stop()
        assert time.monotonic() - start_s < 0.5
        stopped_at = frames(engine)
        threading.Event().wait(0.05)
        assert frames(engine) == stopped_at


def test_realtime_clock_counts_a_late_block_and_catches_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine(RATE) as engine:
        process = engine.process_source
        waits = iter([0.3])

        def stumble(out: np.ndarray) -> None:
            threading.Event().wait(next(waits, 0.0))
            process(out)

        monkeypatch.setattr(engine, "process_source", stumble)
        driver = RealtimeDriver(engine, SineSource(RATE), block=480)
        start_s = time.monotonic()
        driver.start()
        until(lambda: frames(engine) >= 48_000)
        assert time.monotonic() - start_s < 1.25
        driver.stop()
        assert engine.memory.control["xruns"] >= 1
        assert engine.memory.control["xruns"] <= 3  # one stumble, however many blocks were late by it


def test_realtime_clock_ends_at_damage_and_says_why(tmp_path: Path) -> None:
    with Engine(RATE) as engine:
        driver = RealtimeDriver(engine, FileSource(damaged(tmp_path)), block=4096)
        driver.start()
        until(lambda: driver.error is not None)
        assert "cannot be read after 0:04" in str(driver.error)
        until(lambda: engine.memory.control["ended"] == 1)
        driver.stop()
        assert 4 * RATE < engine.memory.control["end_frame"] < 5 * RATE


# --- reading ahead --------------------------------------------------------------------------------


def test_ring_is_filled_before_anything_plays_and_is_kept_so() -> None:
    with Engine(RATE) as engine:
        prefetch = Prefetch(PinkSource(RATE, seed=4), engine)
        prefetch.start()
        assert engine.source_space == engine.source_capacity // 8  # that part is kept for a seek
        out = np.empty((512, 2), np.float32)
        for _ in range(1000):  # ten seconds, as fast as the ring is filled
            until(lambda: engine.source_space < engine.source_capacity - 512)
            engine.process_source(out)
        prefetch.stop()
        assert engine.memory.control["starved_frames"] == 0
        newest = engine.memory.audio.read(412_000, 100_000)[DRY]
        np.testing.assert_array_equal(newest, PinkSource(RATE, seed=4).read(512_000)[0, 412_000:])


def test_slow_source_starves_but_loses_nothing() -> None:
    class Hesitant(SineSource):
        """A file on a network drive: after 1 s of sound, it waits until it is told to go on."""

        go_on = threading.Event()
        given = 0

        def read(self, frames: int) -> np.ndarray:
            if self.given > RATE:
                self.go_on.wait()
            self.given += frames
            return super().read(frames)

    source = Hesitant(RATE)
    source.go_on.set()  # for the filling before the start
    with Engine(RATE) as engine:
        prefetch = Prefetch(source, engine)
        prefetch.start()
        source.go_on.clear()
        out = np.empty((4096, 2), np.float32)
        while engine.memory.control["starved_frames"] == 0:
            engine.process_source(out)
        starved = int(engine.memory.control["starved_frames"])
        before = frames(engine) - starved
        source.go_on.set()
        until(lambda: engine.source_space < engine.source_capacity - 4096)
        engine.process_source(out)
        prefetch.stop()
        rows = engine.memory.audio.read(before - 1000, 1000 + starved + 4096)[DRY]
        played = np.concatenate([rows[:1000], rows[1000 + starved :]])
        np.testing.assert_array_equal(rows[1000 : 1000 + starved], 0)
        np.testing.assert_array_equal(played, SineSource(RATE).read(before + 4096)[0, before - 1000 :])


def test_a_seek_is_played_from_the_next_block_on_and_the_position_tells() -> None:
    ramp = np.arange(10 * RATE, dtype=np.float32) / (10 * RATE)

    class Ramp(SineSource):
        """Each frame tells its number."""

        frame = 0

        def read(self, frames: int) -> np.ndarray:
            self.frame += frames
            return ramp[None, self.frame - frames : self.frame]

        def seek(self, frame: int) -> None:
            self.frame = frame

    with Engine(RATE) as engine:
        prefetch = Prefetch(Ramp(RATE), engine)
        prefetch.start()
        out = np.empty((512, 2), np.float32)
        engine.process_source(out)
        assert prefetch.position == 512
        for frame in (7 * RATE, 3 * RATE, 9 * RATE + RATE // 2):
            prefetch.seek(frame)
            assert prefetch.position == frame
            until(lambda: prefetch._sought is None)
            engine.process_source(out)  # the fade
            engine.process_source(out)
            newest = engine.memory.audio.read(engine.memory.audio.written - 512, 512)[DRY]
            np.testing.assert_array_equal(newest, ramp[frame + 512 : frame + 1024])
            assert prefetch.position == frame + 1024
        until(lambda: prefetch._has_ended)
        while not engine.memory.control["ended"]:
            engine.process_source(out)
        prefetch.stop()
        assert engine.memory.control["starved_frames"] == 0
        assert engine.memory.control["end_frame"] == 512 + 2 * 1024 + RATE // 2


def test_a_seek_after_all_was_read_brings_the_thread_back(file: Path) -> None:
    with Engine(RATE) as engine:
        prefetch = Prefetch(FileSource(file), engine)
        prefetch.start()
        out = np.empty((512, 2), np.float32)
        until(lambda: prefetch._has_ended or engine.process_source(out) is not None)
        prefetch.seek(100)
        until(lambda: prefetch._sought is None)
        engine.process_source(out)
        assert prefetch.position == 612
        prefetch.stop()


def test_reading_ahead_stops_at_once_when_the_ring_is_full() -> None:
    with Engine(RATE) as engine:
        prefetch = Prefetch(DemoSource(RATE), engine)
        prefetch.stop()  # before the start too
        prefetch = Prefetch(DemoSource(RATE), engine)
        prefetch.start()
        start_s = time.monotonic()
        prefetch.stop()
        prefetch.stop()
        assert time.monotonic() - start_s < 0.2


# --- devices --------------------------------------------------------------------------------------


def engine_for(setup: DeviceSetup, target: str = "reference") -> Engine:
    return Engine(
        setup.sample_rate,
        target=target,  # type: ignore[arg-type]
        in_channels=setup.in_channels,
        out_channels=setup.out_channels,
        target_channel=2 if target == "channel" else 1,
    )


def find(row: np.ndarray, samples: np.ndarray) -> int:
    """Where in `row` the first of `samples` stands exactly."""
    starts = np.flatnonzero(row == samples[0])
    return next(int(start) for start in starts if np.array_equal(row[start : start + 50], samples[:50]))


@pytest.mark.parametrize("block", [0, 64, 1024])
def test_microphone_comes_back_with_the_reference_gain(tape: JackTape, block: int) -> None:
    """What rtgain plays is the gain times what went in, sample for sample after whole periods of delay."""
    setup = choose_devices(mic=True, input_device="tape", output_device="tape")
    sound = noise(RATE)[:, 0]
    with engine_for(setup) as engine:
        engine.set_reference(gain_db=-12.0)
        driver = DeviceDriver(engine, setup, block=block)
        driver.start()
        heard = tape.play_and_record(sound, into="rtgain-.*:in_.*", out_of="rtgain-.*:out_.*")
        assert not driver.lost
        assert 0 < driver.load < 1
        driver.stop()
        assert not driver.abandoned
        assert engine.memory.control["xruns"] <= tape.xruns()  # a busy machine makes its server late, not rtgain
        assert driver.description == "tape (JACK Audio Connection Kit)"
    delay = int(np.argmax(np.correlate(heard[:10_000], sound[:1000], "valid")))
    assert delay % 64 == 0
    assert delay <= 8 * tape.period
    np.testing.assert_allclose(
        heard[delay : delay + RATE], (sound * MINUS_12_DB)[: len(heard) - delay], rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("block", [0, 64])
def test_a_late_server_is_one_xrun_however_many_blocks_its_period_has(
    jack_server: JackServer, tape: JackTape, block: int
) -> None:
    setup = choose_devices(mic=True, input_device="tape", output_device="tape")
    with engine_for(setup) as engine:
        driver = DeviceDriver(engine, setup, block=block)
        before = tape.xruns()
        driver.start()
        until(lambda: frames(engine) > RATE // 10)
        os.kill(jack_server.process.pid, signal.SIGSTOP)
        threading.Event().wait(0.1)  # twenty of its periods
        os.kill(jack_server.process.pid, signal.SIGCONT)
        until(lambda: engine.memory.control["xruns"] > 0)
        caught_up = frames(engine) + RATE // 10
        until(lambda: frames(engine) > caught_up)
        driver.stop()
        assert 1 <= engine.memory.control["xruns"] <= tape.xruns() - before


def test_two_inputs_are_dry_and_target(jack_server: JackServer) -> None:
    with JackTape(jack_server, name="stereo", channels=2) as tape:
        setup = choose_devices(
            mic=True, target="channel", target_channel=2, input_device="stereo", output_device="stereo"
        )
        sound = noise(RATE, 2).T
        with engine_for(setup, "channel") as engine:
            driver = DeviceDriver(engine, setup)
            driver.start()
            tape.play_and_record(sound, into="rtgain-.*:in_.*", out_of="rtgain-.*:out_.*")
            driver.stop()
            rows = engine.memory.audio.read(0, frames(engine))
            start = find(rows[DRY], sound[0])
            np.testing.assert_array_equal(rows[[DRY, TARGET], start : start + RATE], sound)


def test_return_plays_the_source_and_hears_the_input(tape: JackTape, file: Path) -> None:
    setup = choose_devices(mic=False, target="return", input_device="tape", output_device="tape")
    sound = noise(RATE // 2)[:, 0]
    with engine_for(setup, "return") as engine:
        driver = DeviceDriver(engine, setup, FileSource(file, loop=True))
        driver.start()
        heard = tape.play_and_record(sound, into="rtgain-.*:in_.*", out_of="rtgain-.*:out_.*")
        driver.stop()
        assert engine.memory.control["starved_frames"] == 0
        rows = engine.memory.audio.read(0, frames(engine))
    turns = np.tile(FileSource(file).read(72_000)[0], 10)[: rows.shape[1]]
    np.testing.assert_array_equal(rows[DRY], turns)
    start = find(rows[TARGET], sound)
    np.testing.assert_array_equal(rows[TARGET, start : start + len(sound)], sound)
    assert np.array_equal(heard[20_000:20_050], turns[find(turns, heard[20_000:]) :][:50])  # dry is what is played


def test_file_is_played_on_an_output_alone(jack_server: JackServer, file: Path) -> None:
    setup = choose_devices(mic=False, output_device="system", preferred_rate=RATE)
    with engine_for(setup) as engine:
        driver = DeviceDriver(engine, setup, FileSource(file))
        driver.start()
        until(lambda: engine.memory.control["ended"] == 1)
        driver.stop()
        driver.stop()
        assert driver.block == jack_server.period
        assert driver.error is None
        assert engine.memory.control["end_frame"] == 72_000
        assert engine.memory.control["starved_frames"] == 0
        np.testing.assert_array_equal(engine.memory.audio.read(0, 72_000)[DRY], FileSource(file).read(72_000)[0])


def test_microphone_runs_without_any_output(jack_server: JackServer) -> None:
    system = next(device for device in devices() if device.name == "system")
    setup = DeviceSetup(system, None, in_channels=1, out_channels=0, sample_rate=RATE)
    with engine_for(setup) as engine:
        driver = DeviceDriver(engine, setup)
        driver.start()
        start_s, start = time.monotonic(), frames(engine)
        until(lambda: frames(engine) >= start + RATE)
        assert time.monotonic() - start_s == pytest.approx(1.0, abs=0.2)
        driver.stop()


def test_device_is_opened_and_closed_again_and_again(jack_server: JackServer) -> None:
    for _ in range(10):
        setup = choose_devices(mic=True, input_device="system")
        with engine_for(setup) as engine:
            driver = DeviceDriver(engine, setup)
            driver.start()
            until(lambda engine=engine: frames(engine) > 1000)  # type: ignore[misc]
            assert not driver.lost
            driver.stop()
            assert not driver.lost
            assert not driver.abandoned


def test_device_that_cannot_be_opened_is_named_with_its_rate(jack_server: JackServer) -> None:
    system = next(device for device in devices() if device.name == "system")
    setup = DeviceSetup(None, system, in_channels=0, out_channels=2, sample_rate=44_100)
    with engine_for(setup) as engine:
        driver = DeviceDriver(engine, setup, SineSource(44_100))
        threads = threading.active_count()
        with pytest.raises(DeviceError, match=r"system \(JACK .*\): cannot be opened at 44100 Hz \(.+\); "):
            driver.start()
        assert threading.active_count() == threads
        assert not driver.lost


def test_device_that_went_before_it_was_opened_is_named(jack_server: JackServer) -> None:
    ghost = Device(0, "USB Audio", "ALSA", 2, 2, 48_000.0, 0.01)
    setup = DeviceSetup(ghost, ghost, in_channels=1, out_channels=2, sample_rate=RATE)
    with engine_for(setup) as engine, pytest.raises(DeviceError, match=r"USB Audio \(ALSA\): is gone; plug it in"):
        DeviceDriver(engine, setup).start()


def test_device_that_dies_is_noticed_and_lets_the_program_end(own_jack_server: JackServer) -> None:
    """In a process of its own: PortAudio never lets go of a JACK server that was killed."""
    program = (
        "import json, sys, threading, time\n"
        "from rtgain.audio.demo import DemoSource\n"
        "from rtgain.audio.devices import choose_devices, devices\n"
        "from rtgain.audio.drivers import DeviceDriver\n"
        "from rtgain.audio.engine import Engine\n"
        "setup = choose_devices(mic=True)\n"
        "engine = Engine(setup.sample_rate, in_channels=1, out_channels=setup.out_channels)\n"
        "driver = DeviceDriver(engine, setup)\n"
        "driver.start()\n"
        "while engine.memory.control['frames'] < 1000: time.sleep(0.01)\n"
        "print(json.dumps(driver.lost), flush=True)\n"
        "sys.stdin.readline()\n"
        "start = time.monotonic()\n"
        "while not driver.lost: time.sleep(0.01)\n"
        "print(json.dumps(time.monotonic() - start), flush=True)\n"
        "start = time.monotonic()\n"
        "driver.stop()\n"
        "print(json.dumps([time.monotonic() - start, driver.abandoned]), flush=True)\n"
        "engine.close()\n"
        "devices()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, **own_jack_server.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert json.loads(process.stdout.readline()) is False
        own_jack_server.kill()
        print(file=process.stdin, flush=True)
        assert json.loads(process.stdout.readline()) < 2
        took_s, abandoned = json.loads(process.stdout.readline())
        assert took_s < 5
        assert not abandoned
        assert process.wait(PATIENCE_S) == 0
        assert process.stderr.read() == ""


def test_device_that_nobody_asked_about_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of the program was stopped, and the device has not had its turn yet when it is asked about again."""
    now_s = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    with Engine(RATE) as engine:
        driver = DeviceDriver(engine, DeviceSetup(None, None, 0, 2, RATE))
        driver._stream = SimpleNamespace(active=True)
        lost = []
        for now_s in (0.0, 0.5, 10.5, 11.0, 11.4, 11.8):  # noqa: B007
            lost.append(driver.lost)
        assert lost == [False, False, False, False, False, True]


def test_device_that_died_and_is_back_plays_again_in_the_same_process(own_jack_server: JackServer) -> None:
    """More than once, and in a process of its own, which keeps each PortAudio that died."""
    program = (
        "import sys, time\n"
        "from rtgain.audio.devices import choose_devices\n"
        "from rtgain.audio.drivers import DeviceDriver\n"
        "from rtgain.audio.engine import Engine\n"
        "for life in range(3):\n"
        "    setup = choose_devices(mic=True)\n"
        "    engine = Engine(setup.sample_rate, in_channels=1, out_channels=setup.out_channels)\n"
        "    driver = DeviceDriver(engine, setup)\n"
        "    driver.start()\n"
        "    while engine.memory.control['frames'] < 24_000: time.sleep(0.01)\n"
        "    print(setup, flush=True)\n"
        "    sys.stdin.readline()\n"
        "    if life < 2:\n"
        "        while not driver.lost: time.sleep(0.01)\n"
        "    driver.stop()\n"
        "    engine.close()\n"
        "    if life < 2:\n"
        "        print('closed', flush=True)\n"
        "        sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, **own_jack_server.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        for _ in range(2):
            assert process.stdout.readline() == "system (JACK Audio Connection Kit)\n"
            own_jack_server.kill()
            print(file=process.stdin, flush=True)
            assert process.stdout.readline() == "closed\n"
            own_jack_server.start()
            print(file=process.stdin, flush=True)
        assert process.stdout.readline() == "system (JACK Audio Connection Kit)\n"
        print(file=process.stdin, flush=True)
        assert process.wait(PATIENCE_S) == 0
        assert process.stderr.read() == ""
