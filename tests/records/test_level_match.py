"""Trims of a level match, and its sentence."""

import math

import pytest

from rtgain.config.names import LEVEL_MATCHES
from rtgain.records.level_match import LevelDifference, LevelMatch


@pytest.mark.parametrize("gain_db", [-3.0, 0.0, 4.0])
@pytest.mark.parametrize("loudness_lu", [-2.0, 5.0])
def test_the_louder_signal_is_attenuated(gain_db: float, loudness_lu: float) -> None:
    for mode in LEVEL_MATCHES:
        match = LevelMatch(mode, gain_db, loudness_lu)
        difference_db = {"off": 0.0, "estimate": gain_db, "loudness": loudness_lu}[mode]
        assert max(match.dry_trim_db, match.target_trim_db) == 0.0  # the softer one is not changed
        assert match.dry_trim_db - match.target_trim_db == difference_db  # both have one level then
        assert match.remaining_gain_db == gain_db - difference_db
        assert match.remaining_loudness_lu == loudness_lu - difference_db


def test_unknown_difference_is_not_matched() -> None:
    match = LevelMatch("estimate", loudness_lu=3.0)
    assert (match.dry_trim_db, match.target_trim_db) == (0.0, 0.0)
    assert match.sentence() == "Loudness 3.00 LU. The gain is not known yet, so nothing is matched."
    assert LevelMatch("loudness").sentence() == "The loudness is not known yet, so nothing is matched."
    assert LevelMatch("off").sentence() == ""
    assert match.to_object()["gain_db"] is None
    assert math.isnan(match.remaining_gain_db)


def test_all_targets_are_played_at_the_level_of_the_softest() -> None:
    differences = [LevelDifference(4.0, 5.0), LevelDifference(-8.0, -2.0), LevelDifference()]
    for mode, levels_db in (("off", [0.0, 0.0, 0.0]), ("estimate", [4.0, -8.0, 0.0]), ("loudness", [5.0, -2.0, 0.0])):
        for index, level_db in enumerate(levels_db):
            this, others = differences[index], tuple(differences[:index] + differences[index + 1 :])
            match = LevelMatch(mode, this.gain_db, this.loudness_lu, others)
            assert match.dry_trim_db == min(levels_db)
            assert match.target_trim_db + level_db == min(levels_db)


@pytest.mark.parametrize(
    ("gain_db", "others", "sentence"),
    [
        (0.001, (), ""),
        (4.0, (), "Attenuated: the target by 4.00 dB."),
        (-4.0, (), "Attenuated: the dry recording by 4.00 dB."),
        (4.0, (LevelDifference(-1.0),), "Attenuated: the dry recording by 1.00 dB and the target by 5.00 dB."),
    ],
)
def test_what_is_attenuated_is_stated(gain_db: float, others: tuple[LevelDifference, ...], sentence: str) -> None:
    assert LevelMatch("estimate", gain_db, 0.0, others).trim_sentence() == sentence


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("off", ""),
        ("estimate", " After matching the gain, the target is 0.96 LU louder."),
        ("loudness", " After matching the loudness, the target is 0.96 dB lower in gain."),
    ],
)
def test_sentence_states_both_numbers_and_the_rest(mode: str, sentence: str) -> None:
    match = LevelMatch(mode, gain_db=-3.0, loudness_lu=-2.04)
    assert match.sentence() == f"Gain −3.00 dB, loudness −2.04 LU.{sentence}"
