"""Accuracy limits on the built-in signals, through whole sessions on the offline clock."""

import functools
import math
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from rtgain.bench.accuracy import CASES, measure, pooled
from rtgain.bench.case_signal import GAIN_DB, Case
from rtgain.bench.signals import BenchSignal, synthetic_signals
from rtgain.bench.tables import Row
from rtgain.config.session_config import SessionConfig, make_session_config
from rtgain.records.estimate import Estimate, State
from rtgain.session.offline import estimate_samples, run_offline

SIGNALS = ("demo", "pink")


@functools.cache
def signals() -> dict[str, BenchSignal]:
    return {signal.name: signal for signal in synthetic_signals()}


@functools.cache
def measured(name: str, case_name: str, layout: str = "mono") -> Row:
    """Row of a case. Half of the signal is enough, but for random errors, whose distribution is tested too."""
    signal, case = signals()[name], case_named(case_name)
    if layout != "mono" or not case.has_random_error:
        signal = replace(signal, samples=signal.samples[: len(signal.samples) // 2])
    return measure(signal, case, layout)


def case_named(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
@pytest.mark.parametrize("name", SIGNALS)
def test_every_case_is_within_its_limit(name: str, case: Case) -> None:
    row = measured(name, case.name)
    assert row["tracking"] > (700 if case.has_random_error else 300)
    assert row["rtgain_db"] <= row["limit_db"] == case.goal_db


STEREO = [("demo", "stereo", case) for case in CASES] + [
    ("pink", layout, case)
    for layout in ("right silent", "anti-phase")
    for case in CASES
    if case.name in ("inverted", "delay 7.56 ms", "noise −20 dB", "±6 dB at 0.5 Hz")
]


@pytest.mark.parametrize(
    ("name", "layout", "case"), STEREO, ids=[f"{name}, {layout}, {case.name}" for name, layout, case in STEREO]
)
def test_every_case_is_within_its_limit_in_stereo(name: str, layout: str, case: Case) -> None:
    row = measured(name, case.name, layout)
    assert row["tracking"] > 300
    assert row["rtgain_db"] <= row["limit_db"] == case.goal_db
    assert row["channel_db"] <= 2.0 * case.goal_db  # each channel has half of the sound


def test_errors_in_noise_and_motion_are_within_two_deviations() -> None:
    by_chance = [case.name for case in CASES if case.has_random_error]
    all_of_them = pooled([measured(name, case) for name in (*SIGNALS, "speech") for case in by_chance])
    assert all_of_them["tracking"] > 8000
    assert 0.90 <= all_of_them["within_2_std"] <= 0.99
    assert all_of_them["reached"]


def test_pooled_share_is_weighted_by_tracking_time() -> None:
    counted = [(100, 1.0), (300, 0.9), (0, math.nan)]
    rows = [{"signal": "x", "case": "y", "within_2_std": share, "tracking": count} for count, share in counted]
    assert pooled(rows)["within_2_std"] == pytest.approx(0.925)
    assert pooled(rows)["tracking"] == 400
    assert not pooled(rows[2:])["reached"]


@pytest.mark.parametrize("name", SIGNALS)
def test_delay_is_accurate_to_a_tenth_of_a_frame(name: str) -> None:
    signal = signals()[name]
    short = signal.samples[: 8 * signal.sample_rate]
    last = estimate_samples(short, signal.sample_rate, gain_db=GAIN_DB, delay_ms=100.0)[-1]
    assert last.state is State.TRACKING
    assert last.delay_frames == pytest.approx(4800.0, abs=0.1)


@pytest.mark.parametrize("name", SIGNALS)
def test_silence_is_reported_and_holds_the_estimate_to_a_hundredth_of_a_db(name: str) -> None:
    signal = signals()[name]
    rate = signal.sample_rate
    samples = signal.samples[: 7 * rate].copy()
    samples[3 * rate : 5 * rate] = 0.0
    estimates = estimate_samples(samples, rate, gain_db=GAIN_DB)
    inside = [one for one in estimates if 3.1 * rate < one.center_frame < 4.9 * rate]
    assert {one.state for one in inside} == {State.SILENT}
    gains_db = [one.gain_est_db for one in estimates if one.center_frame > 2.5 * rate]
    assert max(gains_db) - min(gains_db) < 0.01


@pytest.mark.parametrize("step_s", [3.0, 3.37, 3.5])
@pytest.mark.parametrize("name", SIGNALS)
def test_step_of_20_db_is_followed_permanently_within_one_window_and_two_hops(name: str, step_s: float) -> None:
    signal, config = signals()[name], SessionConfig()
    rate = signal.sample_rate
    samples = signal.samples[: 6 * rate]
    automation = f"time_s,gain_db\n{step_s},-20\n{step_s},0\n"
    estimates = estimate_samples(samples, rate, automation=automation, gain_db=GAIN_DB)
    settled = step_s * rate + config.window_frames(rate) + 2 * config.hop_frames(rate)
    errors_db = [abs(one.gain_est_db) for one in estimates if one.available_frame >= settled]
    assert len(errors_db) > 50
    assert max(errors_db) < 0.1


# --- unrelated signals ------------------------------------------------------------------------------


def sine(hz: float, signal: BenchSignal) -> np.ndarray:
    return 0.1 * np.sin(2.0 * np.pi * hz / signal.sample_rate * np.arange(len(signal.samples)))


def unrelated(name: str) -> tuple[np.ndarray, np.ndarray]:
    demo, pink = signals()["demo"], signals()["pink"]
    half = len(pink.samples) // 2
    pairs = {
        "pink, other pink": (pink.samples[:half], pink.samples[half:]),
        "music, the same reversed": (demo.samples[:half], demo.samples[:half][::-1]),
        "a sine, another": (sine(440.0, demo)[:half], sine(660.0, demo)[:half]),
        "music, pink": (demo.samples[:half], pink.samples[:half]),
    }
    return pairs[name]


@pytest.mark.parametrize("name", ["pink, other pink", "music, the same reversed", "a sine, another", "music, pink"])
def test_unrelated_signals_are_never_tracking(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("pair") / "pair.wav"
    dry, target = unrelated(name)
    soundfile.write(path, np.stack([dry, target], axis=1), signals()["demo"].sample_rate, subtype="FLOAT")
    estimates: list[Estimate] = []
    config = make_session_config(input=str(path), target="channel")
    run_offline(config, on_estimates=lambda session, batch: estimates.extend(batch))
    assert len(estimates) > 400
    assert State.TRACKING not in {one.state for one in estimates}
    assert estimates[-1].state in (State.INCOHERENT, State.SILENT)
