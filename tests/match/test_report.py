"""Report of a match for people: sentences, positions, 80 columns."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtgain.match.details import MatchDetails
from rtgain.match.pair import match_pair
from rtgain.match.report import loudness_sentence, match_report, match_sentence, position_sentence, remainder_sentence
from rtgain.match.result import ChannelMatch
from tests.match.recordings import demo, write

RATE = 16_000


@pytest.fixture(scope="module")
def excerpt(tmp_path_factory: pytest.TempPathFactory) -> MatchDetails:
    """A softer excerpt that begins at 2.5 s of its recording, with a constant offset."""
    folder = tmp_path_factory.mktemp("report")
    music = demo(6, RATE)
    dry = write(folder / "dry.wav", music, RATE)
    target = write(folder / "target.wav", 0.5 * music[round(2.5 * RATE) : 5 * RATE] + 0.01, RATE)
    details = match_pair(dry, target)
    assert details is not None
    return details


def test_report_has_the_match_the_findings_and_the_position_in_80_columns(excerpt):
    text = match_report(excerpt, Path("dry.wav"), Path("target.wav"), ["matched.wav"])
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[:2] == ["Dry recording  dry.wav", "Target         target.wav"]
    flat = " ".join(text.split())
    assert "The target is 6.02 dB softer than the dry recording, and 2.500 s earlier." in flat
    assert "- The waveform of the target lies above the center line (DC offset −40.0 dBFS)." in flat
    assert "The target begins at 0:02.500 of the dry recording. They have 0:02.500 in common" in flat
    assert flat.endswith("Written: matched.wav")
    assert "\x1b" not in text


def test_loudness_of_the_common_part_is_that_of_the_excerpt(excerpt):
    assert excerpt.common_lufs is not None
    dry_lufs, target_lufs = excerpt.common_lufs
    assert dry_lufs - target_lufs == pytest.approx(6.02, abs=0.1)
    assert target_lufs == pytest.approx(excerpt.result.lufs_target, abs=0.5)


def changed(details: MatchDetails, **changes: object) -> MatchDetails:
    return replace(details, result=replace(details.result, **changes))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"gain_db": -6.0, "delay_ms": 12.0, "std_db": 0.0002},
         "The target is 6.00 dB softer than the dry recording, and 12.0 ms later."),
        ({"gain_db": 0.001, "delay_ms": 0.0, "polarity": -1},
         "The target is as loud as the dry recording. It is upside down (inverted polarity)."),
        ({"gain_db": 3.0, "delay_ms": -2.0, "std_db": 0.02},
         "The target is 3.00 ± 0.02 dB louder than the dry recording, and 2.0 ms earlier."),
        ({"gain_db": 0.001, "delay_ms": 0.0, "std_db": 0.02},
         "The target is as loud as the dry recording (± 0.02 dB)."),
        ({"gain_db": -6.0, "delay_ms": 0.0, "std_db": 2.0, "state": "converging"},
         "More than the level differs. On average the target is 6.00 dB softer than the dry recording, varying by "
         "about 2.0 dB."),
        ({"gain_db": -6.0, "delay_ms": 0.0, "std_db": 0.001, "state": "converging"},
         "More than the level differs. On average the target is 6.00 dB softer than the dry recording."),
        ({"gain_db": None, "state": "incoherent"},
         "The two recordings do not match: no change of level turns the dry recording into the target."),
        ({"gain_db": None, "state": "silent"}, "One of the recordings is silent: there is nothing to compare."),
    ],
)  # fmt: skip
def test_match_is_one_sentence(excerpt, changes, sentence):
    channels = [ChannelMatch(None, 0, None), ChannelMatch(None, 0, changes.get("delay_ms"))]
    assert match_sentence(changed(excerpt, channels=channels, **changes).result) == sentence


@pytest.mark.parametrize(
    ("lufs", "end"),
    [((-20.0, -16.0), "is 4.0 LU higher."), ((-20.0, -21.5), "is 1.5 LU lower."), ((-20.0, -20.0), "is the same.")],
)
def test_loudness_that_contradicts_the_average_gain_is_written(excerpt, lufs, end):
    differing = replace(changed(excerpt, gain_db=8.0, state="converging"), common_lufs=lufs)
    assert loudness_sentence(differing) == f"Its loudness, to which loud and bright sound counts most, {end}"
    assert loudness_sentence(replace(differing, common_lufs=(-20.0, -12.3))) == ""
    assert loudness_sentence(replace(changed(excerpt, gain_db=8.0, state="tracking"), common_lufs=lufs)) == ""


def test_a_delay_of_one_channel_is_not_stated_of_the_target(excerpt):
    channels = [ChannelMatch(-6.0, 1, 0.0), ChannelMatch(-6.0, 1, 12.0)]
    result = changed(excerpt, gain_db=-6.0, std_db=0.0, delay_ms=12.0, channels=channels).result
    assert match_sentence(result) == "The target is 6.00 dB softer than the dry recording."


def test_depth_of_the_null_is_given_where_nothing_else_differs(excerpt):
    result = changed(excerpt, findings=[], residual_db=-147.6, state="tracking").result
    assert remainder_sentence(result) == "Nothing else differs: the difference lies 148 dB below the target."
    louder = changed(excerpt, residual_db=0.3).result
    remainder = "At one level, the difference between the two is as loud as the target itself."
    assert remainder_sentence(louder) == remainder


def test_recordings_that_begin_and_end_together_have_no_position_line(excerpt):
    together = replace(changed(excerpt, delay_ms=0.3), longest_s=excerpt.common_s)
    assert position_sentence(together) == ""
    later = changed(excerpt, delay_ms=437_123.0)
    assert position_sentence(later).startswith("The dry recording begins at 7:17.123 of the target.")
    assert np.isfinite(later.common_s)
    section = replace(changed(excerpt, delay_ms=0.0), section_start_s=2.0, common_s=2.5, common_lufs=None)
    assert position_sentence(section) == "Compared from 0:02.000 to 0:04.500 of the dry recording."
