"""Drivers of all three clocks: the same input gives the same ring content, each at its speed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from rtgain.audio.engine.engine import Engine
from rtgain.audio.io.devices import DeviceSetup, list_devices, select_devices
from rtgain.audio.io.offline_driver import OfflineDriver
from rtgain.audio.io.portaudio_driver import PortAudioDriver
from rtgain.audio.io.prefetch import Prefetch
from rtgain.audio.io.timer_driver import TimerDriver
from rtgain.audio.sources.demo import DemoSource
from rtgain.audio.sources.file_source import FileSource
from rtgain.audio.sources.synthetic import PinkSource, SineSource
from rtgain.bench.servers import JackServer
from rtgain.config.names import Monitor
from rtgain.errors import DeviceError, InputError
from rtgain.records.device import DeviceInfo
from tests.jack_client import JackTestClient, first_lag
from tests.polling import TIMEOUT_S, wait_until

pytestmark = pytest.mark.realtime

RATE = 48_000
MINUS_12_DB = 10 ** (-12 / 20)


def frames(engine: Engine) -> int:
    return int(engine.memory.control["frames"])


def noise(count: int, channels: int = 1) -> np.ndarray:
    return (0.1 * np.random.default_rng(1).standard_normal((count, channels))).astype(np.float32)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A stereo file with 1.5 s of noise at the sample rate of the engine."""
    soundfile.write(tmp_path / "noise.wav", noise(72_000, 2), RATE, subtype="FLOAT")
    return tmp_path / "noise.wav"


# --- offline clock --------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 63, 480, 4096, 65_536])
def test_offline_clock_processes_every_frame_for_any_block_size(file: Path, block: int) -> None:
    with Engine(RATE) as engine:
        engine.reference.set(gain_db=-12.0)
        driver = OfflineDriver(engine, FileSource(file), block)
        driver.start()
        assert driver.advance(10_000) == 10_000
        assert engine.memory.control["ended"] == 0
        assert driver.advance(10**6) == 62_000
        assert driver.advance(1000) == 0
        driver.stop()
        assert frames(engine) == engine.memory.control["end_frame"] == 72_000
        assert engine.memory.control["ended"] == 1
        signals = engine.memory.audio.read_signals(0, 72_000)
        expected = FileSource(file).read(72_000)[0]
        np.testing.assert_array_equal(signals.dry[0], expected)
        np.testing.assert_allclose(signals.target[0], expected * MINUS_12_DB, rtol=1e-6)
        assert 0 < driver.load < 1


def test_offline_clock_uses_the_second_channel_as_target(file: Path) -> None:
    with Engine(RATE, target="channel") as engine:
        assert OfflineDriver(engine, FileSource(file, channels=2)).advance(10**6) == 72_000
        signals = engine.memory.audio.read_signals(0, 72_000)
        pair = np.concatenate([signals.dry, signals.target])
        np.testing.assert_array_equal(pair, FileSource(file, channels=2).read(72_000))


def test_offline_clock_processes_every_channel_of_the_source(file: Path) -> None:
    with Engine(RATE, channels=2) as engine:
        engine.reference.set(gain_db=-12.0)
        assert OfflineDriver(engine, FileSource(file, channels=2)).advance(10**6) == 72_000
        signals = engine.memory.audio.read_signals(0, 72_000)
        expected = FileSource(file, channels=2).read(72_000)
        np.testing.assert_array_equal(signals.dry, expected)
        np.testing.assert_allclose(signals.target, expected * MINUS_12_DB, rtol=1e-6)


def test_offline_clock_is_faster_than_real_time() -> None:
    with Engine(RATE) as engine:
        driver = OfflineDriver(engine, SineSource(RATE))
        start_s = time.thread_time()  # on a busy machine, other programs take the rest
        driver.advance(30 * RATE)
        assert time.thread_time() - start_s < 15


def test_offline_clock_raises_for_a_damaged_file(tmp_path: Path) -> None:
    with Engine(RATE) as engine, pytest.raises(InputError, match="cannot be read after 0:04"):
        OfflineDriver(engine, FileSource(damaged(tmp_path))).advance(10**6)


def damaged(folder: Path) -> Path:
    """Write ten seconds of noise whose second half cannot be decoded."""
    path = folder / "damaged.flac"
    soundfile.write(path, noise(480_000), RATE)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 3000] = bytes(3000)
    path.write_bytes(content)
    return path


# --- timer clock ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("block", "channels"), [(64, 1), (512, 1), (4096, 1), (512, 2)])
def test_timer_clock_is_not_too_fast_and_gives_the_same_bits_as_the_offline_clock(
    file: Path, block: int, channels: int
) -> None:
    with Engine(RATE, channels=channels) as engine, Engine(RATE, channels=channels) as offline:
        for each in (engine, offline):
            each.reference.set(gain_db=-12.0, phase_deg=37.0)
        OfflineDriver(offline, FileSource(file, channels=channels)).advance(72_000)
        driver = TimerDriver(engine, FileSource(file, channels=channels), block)
        start_s = time.monotonic()
        driver.start()
        wait_until(lambda: frames(engine) >= 72_000)
        duration_s = time.monotonic() - start_s
        driver.stop()
        assert duration_s > 72_000 / RATE - block / RATE - 0.01  # a busy machine takes longer
        assert engine.memory.control["underrun_frames"] == 0
        assert engine.memory.control["end_frame"] == 72_000
        np.testing.assert_array_equal(engine.memory.audio.read(0, 72_000), offline.memory.audio.read(0, 72_000))
        assert 0 < driver.load < 1
        assert driver.error is None


def test_timer_clock_stops_immediately_and_permanently() -> None:
    with Engine(8_000) as engine:
        driver = TimerDriver(engine, DemoSource(8_000), block=65_536)  # the next block is eight seconds away
        start_s = time.monotonic()
        driver.start()
        wait_until(lambda: frames(engine) > 0)
        driver.stop()
        driver.stop()
        assert time.monotonic() - start_s < 65_536 / 8_000, "it waited for the next block"
        assert not driver._thread.is_alive()
        assert frames(engine) == 65_536


def test_timer_clock_keeps_the_rate_counts_a_late_block_and_catches_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a simulated clock: a busy machine causes more late blocks."""
    now_s = 0.0
    waits_s = []
    with Engine(RATE) as engine:
        process = engine.process_source

        def delayed_process(out: np.ndarray) -> None:
            nonlocal now_s
            process(out)
            now_s += 0.3 if frames(engine) == 480 else 0.0

        def wait(duration_s: float) -> bool:
            nonlocal now_s
            waits_s.append(duration_s)
            now_s += duration_s
            return frames(engine) >= 48_000

        monkeypatch.setattr(time, "monotonic", lambda: now_s)
        monkeypatch.setattr(engine, "process_source", delayed_process)
        driver = TimerDriver(engine, SineSource(RATE), block=480)
        driver._prefetch.start()
        driver._stop = SimpleNamespace(wait=wait)
        driver._run()
        driver._prefetch.stop()
        assert now_s == pytest.approx(1.0)
        assert waits_s[1:31] == [0.0] * 30  # the late blocks, in a burst
        assert waits_s[31:] == pytest.approx([0.01] * (len(waits_s) - 31))
        assert engine.memory.control["xruns"] == 1  # one delay, for any number of late blocks


def test_timer_clock_ends_at_a_damaged_part_with_an_error(tmp_path: Path) -> None:
    with Engine(RATE) as engine:
        driver = TimerDriver(engine, FileSource(damaged(tmp_path)), block=4096)
        driver.start()
        wait_until(lambda: driver.error is not None)
        assert "cannot be read after 0:04" in str(driver.error)
        wait_until(lambda: engine.memory.control["ended"] == 1)
        driver.stop()
        assert 4 * RATE < engine.memory.control["end_frame"] < 5 * RATE


# --- prefetch -------------------------------------------------------------------------------------


def test_prefetch_fills_the_ring_before_the_start_and_keeps_it_filled() -> None:
    with Engine(RATE) as engine:
        prefetch = Prefetch(PinkSource(RATE, seed=4), engine)
        prefetch.start()
        assert engine.source_space == engine.source_capacity // 8  # this part stays free for a seek
        out = np.empty((512, 2), np.float32)
        for _ in range(1000):  # ten seconds, as fast as the ring is filled
            wait_until(lambda: engine.source_space < engine.source_capacity - 512)
            engine.process_source(out)
        prefetch.stop()
        assert engine.memory.control["underrun_frames"] == 0
        newest = engine.memory.audio.read_signals(412_000, 100_000).dry[0]
        np.testing.assert_array_equal(newest, PinkSource(RATE, seed=4).read(512_000)[0, 412_000:])


def test_slow_source_causes_underruns_but_loses_no_frames() -> None:
    class SlowSource(SineSource):
        """Simulates a network drive: after 1 s of audio, `read` waits for the event `proceed`."""

        proceed = threading.Event()
        frames_read = 0

        def read(self, frames: int) -> np.ndarray:
            if self.frames_read > RATE:
                self.proceed.wait()
            self.frames_read += frames
            return super().read(frames)

    source = SlowSource(RATE)
    source.proceed.set()  # for the prefetch before the start
    with Engine(RATE) as engine:
        prefetch = Prefetch(source, engine)
        prefetch.start()
        source.proceed.clear()
        out = np.empty((4096, 2), np.float32)
        while engine.memory.control["underrun_frames"] == 0:
            engine.process_source(out)
        underrun_frames = int(engine.memory.control["underrun_frames"])
        before = frames(engine) - underrun_frames
        source.proceed.set()
        wait_until(lambda: engine.source_space < engine.source_capacity - 4096)
        engine.process_source(out)
        prefetch.stop()
        signals = engine.memory.audio.read_signals(before - 1000, 1000 + underrun_frames + 4096)
        dry = signals.dry[0]
        played = np.concatenate([dry[:1000], dry[1000 + underrun_frames :]])
        np.testing.assert_array_equal(dry[1000 : 1000 + underrun_frames], 0)
        np.testing.assert_array_equal(played, SineSource(RATE).read(before + 4096)[0, before - 1000 :])


RAMP = np.arange(10 * RATE, dtype=np.float32) / (10 * RATE)


class Ramp(SineSource):
    """Source in which the value of each frame is proportional to its number, from `first` on."""

    def __init__(self, first: int = 0) -> None:
        super().__init__(RATE)
        self.first = first
        self.frame = 0
        self.is_closed = False
        self.played_meanwhile: Callable[[], object] = lambda: None

    def read(self, frames: int) -> np.ndarray:
        self.frame += frames
        samples = RAMP[None, self.first + self.frame - frames : self.first + self.frame]
        self.played_meanwhile()
        return samples

    def seek(self, frame: int) -> None:
        self.frame = frame

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("slow_blocks", [0, 1, 40])
def test_replaced_source_continues_in_time_also_if_it_is_slow(slow_blocks: int) -> None:
    """Both sources have the same values at the same time, so that nothing shows in the output."""
    with Engine(RATE) as engine:
        before, after = Ramp(), Ramp(first=300)
        prefetch = Prefetch(before, engine)
        prefetch.start()
        out = np.empty((512, 2), np.float32)

        def play_blocks() -> None:
            for _ in range(slow_blocks):
                engine.process_source(out)
            after.played_meanwhile = lambda: None

        after.played_meanwhile = play_blocks
        engine.process_source(out)
        prefetch.replace(after, lambda frame: frame - 300)
        wait_until(lambda: prefetch._replacement is None)
        assert before.is_closed
        for _ in range(4):
            engine.process_source(out)
        assert not prefetch.is_replacing
        prefetch.stop()
        assert not after.is_closed
        played = engine.memory.audio.frames_written
        assert prefetch.position == played - 300
        dry = engine.memory.audio.read_signals(0, played).dry[0]
        np.testing.assert_allclose(dry, RAMP[:played], atol=1e-7)
        assert engine.memory.control["underrun_frames"] == 0


def test_seek_takes_effect_at_the_next_block_and_changes_the_position() -> None:
    with Engine(RATE) as engine:
        prefetch = Prefetch(Ramp(), engine)
        prefetch.start()
        out = np.empty((512, 2), np.float32)
        engine.process_source(out)
        assert prefetch.position == 512
        for frame in (7 * RATE, 3 * RATE, 9 * RATE + RATE // 2):
            prefetch.seek(frame)
            assert prefetch.position == frame
            wait_until(lambda: prefetch._seek_request_frame is None)
            for _ in range(3):  # the crossfade takes two blocks
                engine.process_source(out)
            newest = engine.memory.audio.read_signals(engine.memory.audio.frames_written - 512, 512).dry[0]
            np.testing.assert_array_equal(newest, RAMP[frame + 1024 : frame + 1536])
            assert prefetch.position == frame + 1536
        wait_until(lambda: prefetch._has_ended)
        prefetch.stop()  # returns when all that was read has been written
        while not engine.memory.control["ended"]:
            engine.process_source(out)
        assert engine.memory.control["underrun_frames"] == 0
        assert engine.memory.control["end_frame"] == 512 + 2 * 1536 + RATE // 2


def test_seek_after_the_end_of_reading_resumes_the_thread(file: Path) -> None:
    with Engine(RATE) as engine:
        prefetch = Prefetch(FileSource(file), engine)
        prefetch.start()
        out = np.empty((512, 2), np.float32)
        wait_until(lambda: prefetch._has_ended or engine.process_source(out) is not None)
        prefetch.seek(100)
        wait_until(lambda: prefetch._seek_request_frame is None)
        engine.process_source(out)
        assert prefetch.position == 612
        prefetch.stop()


def test_prefetch_stops_while_it_waits_for_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Prefetch, "_seconds_until_space", lambda _: TIMEOUT_S)  # `stop` waits for five seconds
    with Engine(RATE) as engine:
        prefetch = Prefetch(DemoSource(RATE), engine)
        prefetch.stop()  # before the start too
        prefetch = Prefetch(DemoSource(RATE), engine)
        prefetch.start()
        prefetch.stop()
        prefetch.stop()
        assert not prefetch._thread.is_alive()


# --- devices --------------------------------------------------------------------------------------


def engine_for(setup: DeviceSetup, target: str = "reference") -> Engine:
    return Engine(
        setup.sample_rate,
        target=target,  # type: ignore[arg-type]
        in_channels=setup.in_channels,
        out_channels=setup.out_channels,
        target_channels=(2,) if target == "channel" else (1,),
    )


@contextmanager
def started(driver: PortAudioDriver) -> Iterator[None]:
    """Start a driver, and stop it at the end, also if the test fails: it would use the memory of a closed engine."""
    driver.start()
    try:
        yield
    finally:
        driver.stop()


def find(row: np.ndarray, samples: np.ndarray) -> int:
    """Return the frame of `row` at which `samples` begin, bit for bit."""
    starts = np.flatnonzero(row == samples[0])
    return next(int(start) for start in starts if np.array_equal(row[start : start + 50], samples[:50]))


@pytest.mark.parametrize("block", [0, 64, 1024])
def test_microphone_is_played_with_the_reference_gain(jack_client: JackTestClient, block: int) -> None:
    """The output is gain · input, sample for sample, after a delay of whole periods."""
    setup = select_devices(mic=True, input_device="test-client", output_device="test-client")
    sound = noise(RATE)[:, 0]
    with engine_for(setup) as engine:
        engine.reference.set(gain_db=-12.0)
        driver = PortAudioDriver(engine, setup, block=block)
        with started(driver):
            recorded = jack_client.play_and_record(sound, into="rtgain-.*:in_.*", out_of="rtgain-.*:out_.*")
            assert not driver.lost
            assert 0 < driver.load < 1
        assert not driver.abandoned
        assert engine.memory.control["xruns"] <= jack_client.xruns()  # on a busy machine the server is late, not rtgain
        assert driver.description == "test-client (JACK Audio Connection Kit)"
    delay = int(np.argmax(np.correlate(recorded[:10_000], sound[:1000], "valid")))
    assert delay % 64 == 0
    assert delay <= 8 * jack_client.period
    np.testing.assert_allclose(
        recorded[delay : delay + RATE], (sound * MINUS_12_DB)[: len(recorded) - delay], rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("block", [0, 64])
def test_late_server_is_one_xrun_for_any_number_of_blocks_per_period(
    jack_server: JackServer, jack_client: JackTestClient, block: int
) -> None:
    setup = select_devices(mic=True, input_device="test-client", output_device="test-client")
    with engine_for(setup) as engine:
        driver = PortAudioDriver(engine, setup, block=block)
        before = jack_client.xruns()
        with started(driver):
            wait_until(lambda: frames(engine) > RATE // 10)
            os.kill(jack_server.process.pid, signal.SIGSTOP)
            threading.Event().wait(0.1)  # twenty periods
            os.kill(jack_server.process.pid, signal.SIGCONT)
            wait_until(lambda: engine.memory.control["xruns"] > 0)
            caught_up = frames(engine) + RATE // 10
            wait_until(lambda: frames(engine) > caught_up)
        assert 1 <= engine.memory.control["xruns"] <= jack_client.xruns() - before


def test_two_inputs_are_dry_and_target(jack_server: JackServer) -> None:
    with JackTestClient(jack_server, name="stereo", channels=2) as jack_client:
        setup = select_devices(
            mic=True, target="channel", target_channels=(2,), input_device="stereo", output_device="stereo"
        )
        sound = noise(RATE, 2).T
        with engine_for(setup, "channel") as engine:
            driver = PortAudioDriver(engine, setup)
            with started(driver):
                jack_client.play_and_record(sound, into="rtgain-.*:in_.*", out_of="rtgain-.*:out_.*")
            signals = engine.memory.audio.read_signals(0, frames(engine))
            pair = np.concatenate([signals.dry, signals.target])
            start = find(pair[0], sound[0])
            np.testing.assert_array_equal(pair[:, start : start + RATE], sound)


def test_target_return_plays_the_source_and_records_the_input(jack_client: JackTestClient, file: Path) -> None:
    setup = select_devices(mic=False, target="return", input_device="test-client", output_device="test-client")
    sound = noise(RATE // 2)[:, 0]
    with engine_for(setup, "return") as engine:
        driver = PortAudioDriver(engine, setup, FileSource(file, loop=True))
        with started(driver):
            recorded = jack_client.play_and_record(sound, into="rtgain-.*:in_.*", out_of="rtgain-.*:out_.*")
        assert engine.memory.control["underrun_frames"] == 0
        signals = engine.memory.audio.read_signals(0, frames(engine))
    dry, target = signals.dry[0], signals.target[0]
    passes = np.tile(FileSource(file).read(72_000)[0], 10)[: len(dry)]
    np.testing.assert_array_equal(dry, passes)
    start = find(target, sound)
    np.testing.assert_array_equal(target[start : start + len(sound)], sound)
    assert np.array_equal(recorded[20_000:20_050], passes[find(passes, recorded[20_000:]) :][:50])  # dry is played


def test_file_is_played_without_an_input(jack_server: JackServer, file: Path) -> None:
    setup = select_devices(mic=False, output_device="system", preferred_rate=RATE)
    with engine_for(setup) as engine:
        driver = PortAudioDriver(engine, setup, FileSource(file))
        with started(driver):
            wait_until(lambda: engine.memory.control["ended"] == 1)
        driver.stop()
        assert driver.block == jack_server.period
        assert driver.error is None
        assert engine.memory.control["end_frame"] == 72_000
        assert engine.memory.control["underrun_frames"] == 0
        dry = engine.memory.audio.read_signals(0, 72_000).dry
        np.testing.assert_array_equal(dry, FileSource(file).read(72_000))


@pytest.mark.parametrize(
    ("monitor", "left", "right"),
    [("dry", 1.0, 1.0), ("target", 0.5, 0.5), ("matched", 0.25, -0.5), ("difference", 0.25, 1.0)],
)
def test_left_and_right_of_a_file_are_played_as_they_are(
    jack_server: JackServer, file: Path, monitor: Monitor, left: float, right: float
) -> None:
    with JackTestClient(jack_server, name="recorder", outputs=2) as jack_client:
        setup = select_devices(mic=False, output_device="recorder", preferred_rate=RATE)
        with Engine(RATE, channels=2, out_channels=setup.out_channels) as engine:
            engine.reference.set(gain_db=20 * np.log10(0.5))
            engine.memory.control["matched_gain"] = 0.25, -0.5
            engine.set_monitor(monitor)
            driver = PortAudioDriver(engine, setup, FileSource(file, channels=2, loop=True))
            with started(driver):
                jack_client.connect(out_of="rtgain-.*:out_.*")
                jack_client.start(np.zeros(RATE, np.float32))
                recorded = jack_client.recorded()[:, 10_000:30_000]
    expected = np.tile(FileSource(file, channels=2).read(72_000), 2) * [[left], [right]]
    lag = first_lag(expected[0], recorded[0])
    np.testing.assert_allclose(recorded, expected[:, lag : lag + 20_000], rtol=1e-6, atol=1e-9)


def test_microphone_runs_without_any_output(jack_server: JackServer) -> None:
    system = next(device for device in list_devices() if device.name == "system")
    setup = DeviceSetup(system, None, in_channels=1, out_channels=0, sample_rate=RATE)
    with engine_for(setup) as engine:
        driver = PortAudioDriver(engine, setup)
        with started(driver):
            start_s, start = time.monotonic(), frames(engine)
            wait_until(lambda: frames(engine) >= start + RATE)
            assert time.monotonic() - start_s > 0.8  # a busy machine takes longer


def test_device_can_be_opened_and_closed_repeatedly(jack_server: JackServer) -> None:
    for _ in range(10):
        setup = select_devices(mic=True, input_device="system")
        with engine_for(setup) as engine:
            driver = PortAudioDriver(engine, setup)
            with started(driver):
                wait_until(lambda engine=engine: frames(engine) > 1000)  # type: ignore[misc]
                assert not driver.lost
            assert not driver.lost
            assert not driver.abandoned


def test_device_that_cannot_be_opened_is_named_with_its_rate(jack_server: JackServer) -> None:
    system = next(device for device in list_devices() if device.name == "system")
    setup = DeviceSetup(None, system, in_channels=0, out_channels=2, sample_rate=44_100)
    with engine_for(setup) as engine:
        driver = PortAudioDriver(engine, setup, SineSource(44_100))
        threads = threading.active_count()
        with pytest.raises(DeviceError, match=r"system \(JACK .*\): cannot be opened at 44100 Hz \(.+\); "):
            driver.start()
        assert threading.active_count() == threads
        assert not driver.lost


def test_device_that_disappeared_before_opening_is_named(jack_server: JackServer) -> None:
    ghost = DeviceInfo(0, "USB Audio", "ALSA", 2, 2, 48_000.0, 0.01)
    setup = DeviceSetup(ghost, ghost, in_channels=1, out_channels=2, sample_rate=RATE)
    with (
        engine_for(setup) as engine,
        pytest.raises(DeviceError, match=r"USB Audio \(ALSA\): is not available; reconnect it"),
    ):
        PortAudioDriver(engine, setup).start()


def test_lost_device_is_detected_and_the_program_exits(own_jack_server: JackServer) -> None:
    """In its own process, because PortAudio cannot disconnect from a killed JACK server."""
    program = (
        "import json, sys, threading, time\n"
        "from rtgain.audio.sources.demo import DemoSource\n"
        "from rtgain.audio.io.devices import list_devices, select_devices\n"
        "from rtgain.audio.io.portaudio_driver import PortAudioDriver\n"
        "from rtgain.audio.engine.engine import Engine\n"
        "setup = select_devices(mic=True)\n"
        "engine = Engine(setup.sample_rate, in_channels=1, out_channels=setup.out_channels)\n"
        "driver = PortAudioDriver(engine, setup)\n"
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
        "list_devices()\n"
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
        duration_s, abandoned = json.loads(process.stdout.readline())
        assert duration_s < 5
        assert not abandoned
        assert process.wait(TIMEOUT_S) == 0
        assert process.stderr.read() == ""


def test_suspension_of_the_program_is_not_a_lost_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a suspension of the whole program, `lost` is read before the device has processed a block."""
    now_s = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    with Engine(RATE) as engine:
        driver = PortAudioDriver(engine, DeviceSetup(None, None, 0, 2, RATE))
        driver._stream = SimpleNamespace(active=True)
        lost = []
        for now_s in (0.0, 0.5, 10.5, 11.0, 11.4, 11.8):  # noqa: B007
            lost.append(driver.lost)
        assert lost == [False, False, False, False, False, True]


def test_lost_device_that_returns_is_used_again_by_the_same_process(own_jack_server: JackServer) -> None:
    """More than once, in its own process, because each reload leaves the old PortAudio in memory."""
    program = (
        "import sys, time\n"
        "from rtgain.audio.io.devices import select_devices\n"
        "from rtgain.audio.io.portaudio_driver import PortAudioDriver\n"
        "from rtgain.audio.engine.engine import Engine\n"
        "for run in range(3):\n"
        "    setup = select_devices(mic=True)\n"
        "    engine = Engine(setup.sample_rate, in_channels=1, out_channels=setup.out_channels)\n"
        "    driver = PortAudioDriver(engine, setup)\n"
        "    driver.start()\n"
        "    while engine.memory.control['frames'] < 24_000: time.sleep(0.01)\n"
        "    print(setup, flush=True)\n"
        "    sys.stdin.readline()\n"
        "    if run < 2:\n"
        "        while not driver.lost: time.sleep(0.01)\n"
        "    driver.stop()\n"
        "    engine.close()\n"
        "    if run < 2:\n"
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
        assert process.wait(TIMEOUT_S) == 0
        assert process.stderr.read() == ""
