"""Matching of recordings in all their channels: nothing is summed before it is compared."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtgain.match.aggregate import aggregate
from rtgain.match.details import MatchDetails
from rtgain.match.pair import match_pair
from rtgain.records.estimate import State
from tests.commands import rtgain
from tests.match.recordings import RATE, demo, write

HALF_DB = 20 * np.log10(0.5)


@pytest.fixture(scope="module")
def stereo() -> np.ndarray:
    """Two unlike channels, (frames, 2)."""
    music = demo(9)
    return np.stack([music[: 6 * RATE], 0.7 * music[3 * RATE :]], axis=1)


def match(folder: Path, dry: np.ndarray, target: np.ndarray, record: Path | None = None) -> MatchDetails:
    result = match_pair(write(folder / "dry.wav", dry), write(folder / "target.wav", target), record)
    assert result is not None
    return result


def gains_db(details: MatchDetails) -> list[float | None]:
    return [channel.gain_db for channel in details.result.channels]


def polarities(details: MatchDetails) -> list[int]:
    return [channel.polarity for channel in details.result.channels]


def test_anti_phase_stereo_is_matched(tmp_path, stereo):
    left = stereo[:, :1]
    anti_phase = np.concatenate([left, -left], axis=1)
    details = match(tmp_path, anti_phase, 0.5 * anti_phase)
    assert details.result.state == "tracking"
    assert details.result.gain_db == pytest.approx(HALF_DB, abs=0.001)
    assert gains_db(details) == pytest.approx([HALF_DB] * 2, abs=0.001)
    assert polarities(details) == [1, 1]
    assert details.result.polarity == 1
    assert details.result.residual_db is not None
    assert details.result.residual_db < -80


def test_inverted_channel_has_its_own_polarity(tmp_path, stereo):
    record = tmp_path / "matched.wav"
    target = 0.5 * stereo * [1, -1]
    details = match(tmp_path, stereo, np.pad(target, ((4_321, 0), (0, 0))), record)
    assert details.result.state == "tracking"
    assert details.result.gain_db == pytest.approx(HALF_DB, abs=0.001)
    assert gains_db(details) == pytest.approx([HALF_DB] * 2, abs=0.001)
    assert polarities(details) == [1, -1]
    assert details.result.polarity == 0
    assert details.result.delay_samples == pytest.approx(4_321, abs=0.01)
    assert details.result.residual_db is not None
    assert details.result.residual_db < -80
    np.testing.assert_allclose(soundfile.read(record)[0][4_321:], target, atol=2e-5)


def test_channels_with_different_gains_have_their_own(tmp_path, stereo):
    details = match(tmp_path, stereo, stereo * 10 ** (np.array([-7, -5]) / 20))
    assert gains_db(details) == pytest.approx([-7, -5], abs=0.01)
    result = details.result
    assert result.gain_db is not None
    assert result.residual_db is not None
    assert -7 <= result.gain_db <= -5
    assert result.std_db is not None
    assert result.gain_db - 2 * result.std_db < -6.99, "two deviations contain the gains of both channels"
    assert result.gain_db + 2 * result.std_db > -5.01
    assert result.residual_db < -60


def test_balance_of_nearly_equal_channels_is_no_other_tone(tmp_path, stereo):
    """The one gain may then lie anywhere between those of the channels."""
    dry = stereo[:, :1] * [1.0, 0.9]
    details = match(tmp_path, dry, dry * 10 ** (np.array([-7.0, -5.0]) / 20))
    assert gains_db(details) == pytest.approx([-7.0, -5.0], abs=0.01)
    assert [finding["kind"] for finding in details.result.findings] == ["channel-balance"]


def test_pair_without_a_gain_of_any_channel_is_incoherent(tmp_path, stereo):
    """Parts of a stretched recording agree with the dry one here and there, but never in the same channel for long."""
    estimates = match(tmp_path, stereo, stereo).estimates
    unknown = [replace(estimate, channel_gains_db=(np.nan, np.nan)) for estimate in estimates]
    result = aggregate(unknown, 2)
    assert result.state is State.INCOHERENT
    assert np.isnan(result.gain_db)
    assert aggregate(estimates, 2).gain_db == pytest.approx(0.0, abs=0.001)


def test_channel_with_its_own_delay_is_matched(tmp_path, stereo):
    later = round(0.012 * RATE)
    target = 0.5 * np.stack([stereo[:, 0], np.roll(stereo[:, 1], later)], axis=1)
    details = match(tmp_path, stereo, target)
    assert gains_db(details) == pytest.approx([HALF_DB] * 2, abs=0.01)
    delays_ms = [channel.delay_ms for channel in details.result.channels]
    assert delays_ms == pytest.approx([0, 1e3 * later / RATE], abs=0.1e3 / RATE)
    assert details.notices == (), "no doubt about the delay"


def test_recording_of_one_channel_against_two_of_which_one_is_silent(tmp_path, stereo):
    left = stereo[:, 0]
    record = tmp_path / "matched.wav"
    details = match(tmp_path, left, np.stack([left, 0 * left], axis=1), record)
    assert details.result.state == "tracking"
    assert details.result.gain_db == pytest.approx(0, abs=0.001)
    assert gains_db(details) == [pytest.approx(0, abs=0.001), None]
    assert polarities(details) == [1, 0]
    assert details.notices == (
        f"{tmp_path}/dry.wav: has one channel; it is compared with each of the 2 channels of {tmp_path}/target.wav",
    )
    recorded, _ = soundfile.read(record)
    np.testing.assert_allclose(recorded, np.stack([left, 0 * left], axis=1), atol=2e-5)


def test_eight_channels_are_compared_one_with_one(tmp_path):
    music = demo(9)
    dry = np.stack([np.roll(music, 20_000 * index)[: 4 * RATE] for index in range(8)], axis=1)
    levels_db = np.linspace(-3.0, -10.0, 8)
    details = match(tmp_path, dry, dry * 10 ** (levels_db / 20))
    assert gains_db(details) == pytest.approx(list(levels_db), abs=0.02)


def test_channels_are_in_the_json_and_unlike_counts_are_reported(tmp_path, stereo):
    target = np.concatenate([stereo, stereo, stereo], axis=1)
    paths = write(tmp_path / "dry.wav", stereo), write(tmp_path / "target.wav", 0.5 * target)
    run = rtgain("match", *paths, "--json", "-")
    assert run.returncode == 0
    channels = json.loads(run.stdout)["channels"]
    assert [list(channel) for channel in channels] == [["gain_db", "polarity", "delay_ms"]] * 2
    assert [channel["gain_db"] for channel in channels] == pytest.approx([HALF_DB] * 2, abs=0.001)
    assert run.stderr == f"rtgain: {paths[1]}: has 6 channels, of which the first 2 are compared\n"


def test_section_of_the_recordings_is_matched(tmp_path, stereo):
    target = np.concatenate([0.5 * stereo[: 3 * RATE], 0.25 * stereo[3 * RATE :]])
    paths = write(tmp_path / "dry.wav", stereo), write(tmp_path / "target.wav", target)
    for section, gain in (((0.5, 2.5), 0.5), ((3.5, 5.5), 0.25)):
        details = match_pair(*paths, start=section[0], end=section[1])
        assert details is not None
        assert details.result.gain_db == pytest.approx(20 * np.log10(gain), abs=0.001)
        assert details.result.residual_db is not None
        assert details.result.residual_db < -80
        times_s = [estimate.center_frame / RATE for estimate in details.estimates]
        assert section[0] < times_s[0] < times_s[-1] < section[1]


def test_progress_rises_to_1_and_a_match_can_be_cancelled(tmp_path, stereo):
    paths = write(tmp_path / "dry.wav", stereo), write(tmp_path / "target.wav", 0.5 * stereo)
    shares: list[float] = []
    assert match_pair(*paths, on_progress=shares.append) is not None
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    shares.clear()
    assert match_pair(*paths, on_progress=shares.append, cancelled=lambda: bool(shares) and shares[-1] > 0.5) is None


@pytest.mark.parametrize("right", [1.0, -1.0])
@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_16"])
def test_equal_or_opposite_channels_are_not_swapped(tmp_path, stereo, right, subtype):
    dry = stereo[:, :1] * [1.0, right]
    for name, samples in (("dry.wav", dry), ("target.wav", 0.5 * dry)):
        soundfile.write(tmp_path / name, samples, RATE, subtype=subtype)
    details = match_pair(tmp_path / "dry.wav", tmp_path / "target.wav")
    assert details is not None
    assert (details.result.state, details.result.findings) == ("tracking", [])


def test_silent_dry_recording_is_not_another_one(tmp_path, stereo):
    dry, target = write(tmp_path / "dry.wav", 0.0 * stereo), write(tmp_path / "target.wav", stereo)
    details = match_pair(dry, target)
    assert details is not None
    assert (details.result.state, details.result.findings) == ("silent", [])


def test_files_may_have_the_names_of_options(tmp_path, stereo):
    for name, samples in (("demo", stereo), ("reference", 0.5 * stereo)):
        soundfile.write(tmp_path / name, samples, RATE, format="WAV", subtype="FLOAT")
    ran = rtgain("match", "demo", "reference", "--json", "-", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["gain_db"] == pytest.approx(HALF_DB, abs=0.001)


@pytest.mark.parametrize("end", [None, 99.0])
def test_short_section_at_the_end_is_matched(tmp_path, stereo, end):
    dry, target = write(tmp_path / "dry.wav", stereo), write(tmp_path / "target.wav", 0.5 * stereo)
    details = match_pair(dry, target, start=len(stereo) / RATE - 0.1, end=end)
    assert details is not None
    assert details.result.gain_db == pytest.approx(HALF_DB, abs=0.001)


def test_recording_of_one_frame_is_rejected_in_one_line(tmp_path, stereo):
    write(tmp_path / "dry.wav", stereo)
    write(tmp_path / "one.wav", stereo[:1])
    ran = rtgain("match", "dry.wav", "one.wav", cwd=tmp_path)
    message = "rtgain: dry.wav, one.wav: their common part has 1 frames; at least 512 are required\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", message)


def test_invalid_sample_does_not_hide_the_offset(tmp_path, stereo):
    target = np.pad(0.5 * stereo, ((4_321, 0), (0, 0)))
    dry = stereo.copy()
    dry[100, 0] = 1e25
    details = match(tmp_path, dry, target)
    assert details.result.delay_samples == pytest.approx(4_321, abs=0.01)
    assert details.notices == ()
