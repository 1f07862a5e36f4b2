"""Sessions with the processor ``eq``: what is learned, what is heard, and what the other processor does not notice."""

import json
import math
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.signal
import soundfile
from numpy.typing import NDArray

from rtgain.audio.sources.synthetic import PinkSource
from rtgain.cli.main import main
from rtgain.config.session_config import make_session_config
from rtgain.estimation.estimator import Estimator
from rtgain.estimation.signal_reader import RingSignalReader
from rtgain.estimation.streaming import StreamingEstimator
from rtgain.estimation.supervisor import Supervisor
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters
from rtgain.records.equalizer_text import parse_equalizer
from rtgain.records.estimate import State
from rtgain.records.learned_equalizer import LearnedEqualizer
from rtgain.session.session import Session
from tests.polling import wait_until

RATE = 48_000

EQUALIZER = """\
Preamp: -2 dB
Filter 1: ON LSC Fc 120 Hz Gain 6 dB Q 0.7
Filter 2: ON PK Fc 900 Hz Gain -5 dB Q 1.5
Filter 3: ON HSC Fc 8000 Hz Gain 4 dB Q 0.7
"""

HZ = np.geomspace(60.0, 18_000.0, 60)


@dataclass(frozen=True)
class Learned:
    """Outputs of one session of four seconds in stereo, with the target that its reference path made."""

    result: dict[str, Any]
    equalizer: EqualizerFilters
    dry: NDArray[np.float64]
    matched: NDArray[np.float64]


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    folder = tmp_path_factory.mktemp("eq")
    dry = PinkSource(RATE, 2, seed=3).read(4 * RATE)
    dry[1] = scipy.signal.lfilter([1.0, -0.8], [1.0], dry[1])  # another spectrum, which the filters attenuate less
    soundfile.write(folder / "dry.wav", dry.T, RATE, subtype="FLOAT")
    (folder / "eq.txt").write_text(EQUALIZER)
    handler = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    outputs = [f"--{name}={folder / file}" for name, file in OUTPUTS.items()]
    words = (
        f"run --headless --processor eq --gain-db -4 --delay-ms 1 --input {folder / 'dry.wav'} --eq {folder / 'eq.txt'}"
    )
    try:
        assert main([*words.split(), *(word for output in outputs for word in output.split("="))]) == 0
    finally:
        signal.signal(signal.SIGINT, handler[0])
        signal.signal(signal.SIGTERM, handler[1])
    equalizer = parse_equalizer((folder / "out.txt").read_text(), "out.txt")
    matched, _ = soundfile.read(folder / "matched.wav")
    return Learned(json.loads((folder / "s.json").read_text()), equalizer, dry.astype(np.float64), matched.T)


OUTPUTS = {"json": "s.json", "record": "matched.wav", "eq-out": "out.txt"}


def error_db(equalizer: EqualizerFilters, gain_db: float) -> float:
    true = parse_equalizer(EQUALIZER, "eq.txt").response(HZ, RATE) * 10 ** (gain_db / 20)
    return float(np.sqrt(np.mean((20 * np.log10(np.abs(equalizer.response(HZ, RATE) / true))) ** 2)))


def test_states_follow_the_learned_filters(learned: Learned) -> None:
    """With one gain the state would be converging: it does not explain the target. The gain itself stays uncertain."""
    assert learned.result["state"] == "tracking"
    assert 0.01 < learned.result["std_db"] < 3.0
    assert abs(learned.result["gain_db"] - (-4.0 - 2.0)) < 3.0 * learned.result["std_db"]


def test_unrelated_recordings_are_not_tracking_although_filters_fit_some_bands(tmp_path: Path) -> None:
    for name, seed in (("dry", 1), ("target", 2)):
        soundfile.write(tmp_path / f"{name}.wav", PinkSource(RATE, 1, seed=seed).read(3 * RATE).T, RATE)
    files = {"input": str(tmp_path / "dry.wav"), "target": str(tmp_path / "target.wav")}
    config = make_session_config(**files, processor="eq", align="off")
    with Session(config, clock="offline", keep_all_estimates=True) as session:
        session.start()
        estimates = []
        while not session.is_finished:
            estimates += session.advance()
    assert len(estimates) > 50
    assert not any(estimate.state is State.TRACKING for estimate in estimates)


def test_gain_and_filters_are_learned_and_written(learned: Learned) -> None:
    assert error_db(learned.equalizer, -4.0) < 0.25
    assert learned.result["processor"] == "eq"
    assert learned.result["gain_db"] == pytest.approx(learned.equalizer.gain_db, abs=0.01)
    assert learned.result["delay_ms"] == pytest.approx(1.0, abs=0.001)
    for item, written in zip(learned.result["filters"], learned.equalizer.filters, strict=True):
        assert item["type"] == written.kind
        assert item["frequency_hz"] == pytest.approx(written.frequency_hz, abs=0.01)
        assert (item["gain_db"], item["q"]) == pytest.approx((written.gain_db, written.q), abs=0.01)


def test_channels_have_their_gains_behind_the_shared_filters(learned: Learned) -> None:
    """Without the filters, the channel with more treble would have a gain of its own."""
    assert learned.result["channel_gains_db"] == pytest.approx([learned.result["gain_db"]] * 2, abs=0.05)


def test_recording_has_passed_through_the_learned_filters(learned: Learned) -> None:
    """The difference from the target nearly vanishes: it is 30 dB below it in the last second."""
    target = 10 ** (-6 / 20) * filtered(parse_equalizer(EQUALIZER, "eq.txt"), learned.dry)
    last = slice(3 * RATE, 4 * RATE - 48)
    difference = target[:, last] - learned.matched[:, 3 * RATE + 48 :]
    assert 10 * math.log10(np.mean(difference**2) / np.mean(target[:, last] ** 2)) < -30.0


def filtered(equalizer: EqualizerFilters, x: NDArray[np.float64]) -> NDArray[np.float64]:
    for b0, b1, b2, a1, a2 in equalizer.coefficients(RATE):
        x = scipy.signal.lfilter([b0, b1, b2], [1.0, a1, a2], x)
    return x


def test_processor_is_switched_on_and_off_while_it_runs(tmp_path: Path) -> None:
    (tmp_path / "eq.txt").write_text(EQUALIZER)
    config = make_session_config(input="pink", eq=str(tmp_path / "eq.txt"), duration=6.0)
    with Session(config, clock="offline") as session:
        session.start()
        control = session._engine.memory.control
        session.advance()
        assert session.equalizer is None
        assert session.summary().filters is None
        assert control["equalizer_filters"] == 0
        session.set_estimator(processor="eq")
        session.advance()
        assert session.equalizer is not None
        assert error_db(session.equalizer.equalizer, config.gain_db) < 1.0
        assert control["equalizer_filters"] > 0
        before = session.equalizer
        session.set_frozen(True)
        session.advance()
        assert session.equalizer is before
        session.set_frozen(False)
        session.set_estimator(processor="gain")
        session.advance()
        assert session.equalizer is None
        assert control["equalizer_filters"] == 0


def test_another_estimator_continues_from_what_was_learned(tmp_path: Path) -> None:
    """As the worker does that replaces a killed one, from the rows in shared memory."""
    (tmp_path / "eq.txt").write_text(EQUALIZER)
    config = make_session_config(input="pink", eq=str(tmp_path / "eq.txt"), processor="eq", gain_db=-4.0, duration=4.0)
    with Session(config, clock="offline") as session:
        session.start()
        estimates = session.advance()
        learned, memory = session.equalizer, session._engine.memory
        assert learned is not None
        reader = RingSignalReader(memory.audio, memory.control)
        streaming = StreamingEstimator(reader, Estimator(session._settings), last=estimates[-1])
        streaming.resume_equalizer(LearnedEqualizer.from_row(learned.to_row()))
        session._driver.advance(RATE // 2)  # type: ignore[union-attr]
        resumed = [estimate for _ in range(3) for estimate in streaming.advance()]
        assert resumed[0].gain_est_db == pytest.approx(learned.equalizer.gain_db, abs=0.3)
        newest = streaming.equalizer
        assert newest is not None
        assert newest.center_frame > learned.center_frame
        assert error_db(newest.equalizer, -4.0) < 0.5


@pytest.mark.realtime
def test_live_session_publishes_what_it_learns_and_a_killed_worker_continues(tmp_path: Path) -> None:
    (tmp_path / "eq.txt").write_text(EQUALIZER)
    config = make_session_config(input="pink", eq=str(tmp_path / "eq.txt"), processor="eq", gain_db=-4.0)
    with Session(config, clock="timer") as session:
        session.start(wait=True)

        def is_learned() -> bool:
            learned = session.snapshot().equalizer
            return learned is not None and error_db(learned.equalizer, -4.0) < 2.0

        wait_until(is_learned)
        learned = session.equalizer
        assert learned is not None
        assert len(learned.measured.frequency_hz) > 80
        assert all(learned.known)
        assert session._engine.memory.control["equalizer_filters"] > 0

        runner = session._runner
        assert isinstance(runner, Supervisor)
        assert runner._worker is not None
        os.kill(runner._worker.pid, signal.SIGKILL)
        killed_frame = session.frames

        def learns_again() -> bool:
            newest = session.snapshot().equalizer
            return newest is not None and newest.center_frame > killed_frame and error_db(newest.equalizer, -4.0) < 2.0

        wait_until(learns_again)
        assert runner.restarts == 1


def test_a_shelf_that_moves_few_bands_is_followed_within_two_seconds() -> None:
    """The average of two seconds would forget its old bass slowly, if it did not start again."""
    shelf = EqualizerFilters(0.0, (EqualizerFilter("low_shelf", 100.0, 6.0, 0.71),))
    frequency_hz = np.array([60.0, 100.0, 150.0, 1000.0])
    errors_db = []
    with Session(make_session_config(processor="eq", duration=6.5, channels=1), clock="offline") as session:
        session.start()
        changed_s = math.inf
        while not session.is_finished:
            if session.frames / session.sample_rate > 2.5 and math.isinf(changed_s):
                session.set_reference(equalizer=shelf)
                changed_s = session.frames / session.sample_rate
            session.advance()
            for learned in session.pop_equalizers():
                if learned.available_frame / session.sample_rate > changed_s + 2.0:
                    ratio = learned.equalizer.response(frequency_hz, session.sample_rate) / shelf.response(
                        frequency_hz, session.sample_rate
                    )
                    errors_db.append(np.abs(20 * np.log10(np.abs(ratio)) - session.config.gain_db).max())
    assert max(errors_db) < 0.5


@pytest.mark.parametrize(
    "moves",
    [
        "0,-18\n3,-6\n4,-6\n4,-24\n6,-24",
        "\n".join(f"{k / 50},{-6 + 6 * math.sin(math.pi * k / 50)}" for k in range(300)),
    ],
    ids=["ramp and step", "sine"],
)
@pytest.mark.parametrize("has_equalizer", [False, True])
def test_tracked_gain_that_moves_lies_within_its_deviations(tmp_path: Path, moves: str, has_equalizer: bool) -> None:
    """Fits average the past: the estimates of a moving gain were late by up to 18 dB, with deviations of 0.2 dB."""
    (tmp_path / "moves.csv").write_text(f"time_s,gain_db\n{moves}\n")
    (tmp_path / "eq.txt").write_text(EQUALIZER)
    config = make_session_config(
        input="pink", processor="eq", automation=str(tmp_path / "moves.csv"), duration=6.0, channels=1, seed=4,
        eq=str(tmp_path / "eq.txt") if has_equalizer else None,
    )  # fmt: skip
    with Session(config, clock="offline", keep_all_estimates=True) as session:
        session.start()
        estimates = []
        while not session.is_finished:
            estimates += [estimate for estimate in session.advance() if estimate.state is State.TRACKING]
    errors_db = np.array([each.gain_est_db - each.gain_true_db for each in estimates])
    stds_db = np.array([each.std_db for each in estimates])
    assert len(estimates) > 140  # half of them; the bands contradict one gain for two seconds after a step
    assert np.mean(np.abs(errors_db) > 4.0 * stds_db) <= 0.02
    assert np.median(np.abs(errors_db)) < 0.3


@pytest.mark.parametrize("source", ["demo", "pink"])
def test_tracked_gain_holds_while_a_high_shelf_of_the_reference_moves(source: str) -> None:
    """A high shelf changes most bands, as a gain does."""
    config = make_session_config(input=source, processor="eq", duration=7.0, channels=1, gain_db=-6.0)
    with Session(config, clock="offline", keep_all_estimates=True) as session:
        session.start()
        errors_sigmas, moved = [], False
        while not session.is_finished:
            if not moved and session.frames > 3 * session.sample_rate:
                shelf = EqualizerFilter("high_shelf", 5000.0, -6.0, 0.7)
                session.set_reference(equalizer=EqualizerFilters(0.0, (shelf,)))
                moved = True
            errors_sigmas += [
                abs(estimate.gain_est_db - estimate.gain_true_db) / estimate.std_db
                for estimate in session.advance()
                if estimate.state is State.TRACKING
            ]
    assert moved
    assert max(errors_sigmas) <= 4.0
