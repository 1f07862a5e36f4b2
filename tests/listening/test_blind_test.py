"""ABX and preference tests as state machines, and their results."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from rtgain.errors import InputError
from rtgain.listening.blind_test import AbxTest, PreferenceTest, Signal, draw_signal
from rtgain.listening.result import ListeningConditions, RecordingIdentity, identify_recording, result_json
from rtgain.records.level_match import LevelMatch


def drawn(*signals: Signal):
    """Draw the given signals in order."""
    return iter(signals).__next__


def test_draws_of_the_system_are_uniform_and_independent() -> None:
    draws = np.array([draw_signal() == "target" for _ in range(10_000)])
    assert binomtest(int(draws.sum()), len(draws)).pvalue > 1e-6
    for lag in (1, 2, 7):  # independent draws agree with earlier ones half of the time
        equal = draws[lag:] == draws[:-lag]
        assert binomtest(int(equal.sum()), len(equal)).pvalue > 1e-6


def test_x_is_the_drawn_signal_and_a_and_b_are_fixed() -> None:
    test = AbxTest(2, drawn("target", "dry"))
    assert [test.signal_of(button) for button in "ABX"] == ["dry", "target", "target"]
    assert test.answer("B")
    assert [test.signal_of(button) for button in "ABX"] == ["dry", "target", "dry"]
    assert not test.answer("B")
    assert not test.is_open
    with pytest.raises(ValueError, match="has ended"):
        test.answer("A")
    with pytest.raises(ValueError, match="not one of A, B"):
        AbxTest().answer("X")
    with pytest.raises(ValueError, match="not one of A, B, X"):
        AbxTest().signal_of("1")


def test_preference_names_the_signal_behind_the_button() -> None:
    test = PreferenceTest(3, drawn("target", "dry", "dry"))
    assert [test.signal_of(button) for button in "12"] == ["target", "dry"]
    for button in "121":
        test.answer(button)
    assert [trial.answer for trial in test.trials] == ["target", "target", "dry"]
    assert test.score() == {
        "preferred_target": 2,
        "preferred_dry": 1,
        "target_share_low": pytest.approx(0.2077, abs=1e-4),  # scipy: binomtest(2, 3).proportion_ci(method="wilson")
        "target_share_high": pytest.approx(0.9385, abs=1e-4),
    }
    expected = "Target preferred in 2 of 3 trials (67 %, 95 % confidence interval 21 to 94 %)."
    assert test.sentence() == expected
    with pytest.raises(ValueError, match="not one of 1, 2"):
        test.signal_of("X")


@pytest.mark.parametrize(
    ("correct", "sentence"),
    [
        (12, "12 of 16 right: a guess does as well in 4 % of cases."),
        (15, "15 of 16 right: a guess does as well in less than 0.1 % of cases."),
        (14, "14 of 16 right: a guess does as well in 0.2 % of cases."),
        (0, "0 of 16 right: a guess does as well in 100 % of cases."),
    ],
)
def test_sentence_states_how_well_a_guess_does(correct: int, sentence: str) -> None:
    test = AbxTest(16, lambda: "dry")
    for number in range(16):
        test.answer("A" if number < correct else "B")
    assert test.sentence() == sentence


def test_early_end_is_recorded() -> None:
    test = AbxTest(16, lambda: "dry")
    test.answer("A")
    test.stop()
    assert test.was_stopped
    assert test.sentence().endswith("The test was stopped after 1 of 16 trials.")
    finished = AbxTest(1, lambda: "dry")
    finished.answer("A")
    finished.stop()
    assert not finished.was_stopped
    assert AbxTest().sentence() == PreferenceTest().sentence() == "No trial was answered."


@pytest.mark.parametrize("trials", [0, 101])
def test_number_of_trials_has_limits(trials: int) -> None:
    with pytest.raises(ValueError, match="1 to 100 trials"):
        AbxTest(trials)


def test_result_holds_what_is_needed_to_repeat_the_test(tmp_path: Path) -> None:
    (tmp_path / "dry.wav").write_bytes(b"dry")
    dry = identify_recording(tmp_path / "dry.wav")
    assert dry.sha256 == hashlib.sha256(b"dry").hexdigest()
    with pytest.raises(InputError, match=r"gone\.wav: cannot be read"):
        identify_recording(tmp_path / "gone.wav")
    test = AbxTest(3, drawn("target", "dry"))
    test.answer("B")
    test.stop()
    match = LevelMatch("loudness", gain_db=-3.0, loudness_lu=-2.04)
    conditions = ListeningConditions("2026-01-02T03:04:05", dry, RecordingIdentity("t", "0"), 1.5, None, match)
    content = json.loads(result_json(test, conditions))
    assert content["dry"] == {"path": str(tmp_path / "dry.wav"), "sha256": dry.sha256}
    assert (content["start_s"], content["end_s"]) == (1.5, None)
    assert (content["planned_trials"], content["answered_trials"], content["was_stopped"]) == (3, 1, True)
    assert (content["correct"], content["p_value"]) == (1, 0.5)
    assert content["trials"] == [{"drawn": "target", "answer": "target"}]
    assert content["level_match"]["dry_trim_db"] == -2.04
    assert content["level_match"]["remaining_gain_db"] == pytest.approx(-0.96)
    assert json.loads(result_json(PreferenceTest(), conditions))["target_share_low"] is None
