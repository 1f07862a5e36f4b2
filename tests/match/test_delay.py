"""Matching of targets whose delay moves: gain, drift, jumps, the rendered signal, and the sentences about them."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtgain.audio.sources.synthetic_speech import synthetic_speech
from rtgain.match.findings_delay import delay_findings
from rtgain.match.pair import MatchDetails, match_pair
from rtgain.match.render import CROSSFADE_S, MatchedChannel, render_matched_chunks
from rtgain.records.delay_curve import DelayCurve, DelaySegment
from tests.match.drifting import with_changing_clock, with_clock, without_frames
from tests.match.recordings import demo, write

RATE = 16_000
GAIN = 10 ** (-6 / 20)


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    """Music with a voice: without the voice it would repeat, and fit at several delays."""
    return (demo(9, RATE) + synthetic_speech(RATE, 9 * RATE))[:, None]


def match(folder: Path, dry: np.ndarray, target: np.ndarray, record: Path | None = None) -> MatchDetails:
    paths = write(folder / "dry.wav", dry, RATE), write(folder / "target.wav", target, RATE)
    details = match_pair(*paths, record)
    assert details is not None
    return details


def found(details: MatchDetails, kind: str) -> dict[str, list[float]]:
    (finding,) = [finding for finding in details.result.findings if finding["kind"] == kind]
    return finding


def test_drift_is_removed_from_the_matched_signal(tmp_path, music):
    record = tmp_path / "matched.wav"
    target = -GAIN * with_clock(music, 300)
    details = match(tmp_path, music, target, record)
    result = details.result
    assert (result.state, result.polarity) == ("tracking", -1)
    assert result.gain_db == pytest.approx(-6, abs=0.002)
    assert result.drift_ppm == pytest.approx(300, abs=0.1)
    assert result.delay_samples == pytest.approx(0, abs=0.01)
    assert result.residual_db is not None
    assert result.residual_db < -60
    finding = found(details, "clock-drift")
    assert finding["ppm"] == result.drift_ppm
    assert finding["text"] == (
        "The two drift apart: the target gets 2.7 ms later over the recording (1080 ms per hour), as two devices "
        "without a common clock do."
    )
    recorded = soundfile.read(record, always_2d=True)[0]
    assert recorded.shape == target.shape
    error = (recorded - target)[200:-200]
    assert 10 * np.log10(np.mean(error**2) / np.mean(target**2)) < -60


@pytest.mark.parametrize(("times_s", "ppm"), [([4], [60, -40]), ([3, 6], [0, 60, 0])])
def test_drift_that_changes_is_removed_from_the_matched_signal(tmp_path, music, times_s, ppm):
    target = GAIN * with_changing_clock(music, [*np.multiply(times_s, RATE), len(music)], ppm)
    record = tmp_path / "matched.wav"
    details = match(tmp_path, music, target, record)
    result = details.result
    assert result.state == "tracking"
    assert result.gain_db == pytest.approx(-6, abs=0.002)
    assert result.residual_db is not None
    assert result.residual_db < -60
    finding = found(details, "clock-drift")
    assert finding["change_times_s"] == pytest.approx(times_s, abs=0.02)
    assert finding["changed_ppm"] == pytest.approx(ppm[1:], abs=0.1)
    recorded = soundfile.read(record, always_2d=True)[0]
    error = (recorded - target)[200:-200]
    assert 10 * np.log10(np.mean(error**2) / np.mean(target**2)) < -60


def test_changing_drift_is_described_with_its_times():
    segments = [DelaySegment(-np.inf, 30.0, 0.0), DelaySegment(30.0, 60.0, -0.0018, 60.0)]
    segments.append(DelaySegment(60.0, np.inf, 0.0012, 10.0))
    (finding,) = delay_findings(DelayCurve(tuple(segments), 20.0, 1.0), [0.0], 48_000, 90.0)
    assert finding.kind == "clock-drift"
    assert finding.values["change_times_s"] == [30.0, 60.0]
    assert finding.values["changed_ppm"] == [60.0, 10.0]
    assert finding.text == (
        "The two drift apart, and not evenly, as two devices without a common clock do: at first both keep together, "
        "from 0:30.000 on the target gets 216 ms later per hour, from 1:00.000 on the target gets 36.0 ms later per "
        "hour."
    )


def test_many_changes_of_the_drift_are_described_with_the_range_of_the_delay():
    ppm = [20.0, -20.0, 20.0, -20.0, 20.0]
    segments, delay_s = [], 0.005
    for index, drift in enumerate(ppm):
        edges_s = (10.0 * index if index else -np.inf), (10.0 * (index + 1) if index < 4 else np.inf)
        segments.append(DelaySegment(*edges_s, delay_s - 1e-5 * drift * index, drift))
        delay_s += 1e-5 * drift
    (finding,) = delay_findings(DelayCurve(tuple(segments), 2.0, 0.5), [0.0], 48_000, 50.0)
    assert finding.values["changed_ppm"] == ppm[1:]
    assert finding.text == (
        "The two drift apart, and not evenly, as a tape and a digital recorder do: the delay lies between 5.0 and "
        "5.2 ms."
    )


@pytest.mark.parametrize("frames", [256, 1_024])
def test_lost_buffers_change_neither_gain_nor_polarity(tmp_path, music, frames, thorough):
    rng = np.random.default_rng(frames)
    for _ in range(100 if thorough else 2):
        at = np.sort(rng.integers(RATE // 4, len(music) - RATE // 2, 6))  # sound at the ends shows the jumps
        details = match(tmp_path, music, without_frames(GAIN * music, at, frames))
        result = details.result
        assert (result.state, result.polarity) == ("tracking", 1), at
        assert result.gain_db == pytest.approx(-6, abs=0.001), at
        lost = np.unique(at[:, None] + np.arange(frames)).size
        assert sum(found(details, "delay-jump")["jumps_samples"]) == pytest.approx(-lost, abs=1e-3), at


def test_edit_gives_both_delays_and_its_time(tmp_path, music):
    edited = np.pad(music, ((2_560, 0), (0, 0)))
    half = 2_560 + 4 * RATE
    details = match(tmp_path, music, GAIN * np.concatenate([edited[:half], np.zeros((4_000, 1)), edited[half:]]))
    assert details.result.delay_samples == pytest.approx(2_560, abs=0.01)
    jump = found(details, "delay-jump")
    assert jump["jumps_samples"] == pytest.approx([4_000], abs=1e-3)
    assert jump["times_s"] == pytest.approx([4], abs=256 / RATE)
    assert jump["text"] == "The target jumps in time once, at 0:04.000: 250.0 ms are inserted in it."


def test_rendered_jump_is_a_crossfade_without_a_click(tmp_path):
    time_s = np.arange(2 * RATE) / RATE
    dry = write(tmp_path / "dry.wav", 0.5 * np.sin(2 * np.pi * 50 * time_s), RATE)
    segments = (DelaySegment(-np.inf, 1.0, 0.0), DelaySegment(1.01, np.inf, -0.01))  # half a period is missing
    chunks = render_matched_chunks(dry, RATE, 2 * RATE - 160, [MatchedChannel(1.0, 0.0)], DelayCurve(segments))
    matched = np.concatenate(list(chunks), axis=1)[0]
    step = np.abs(np.diff(matched))
    assert step.max() < 2 * np.pi * 50 * 0.5 / RATE + 2 * 0.5 / (CROSSFADE_S * RATE)
    np.testing.assert_allclose(matched[:15_900], 0.5 * np.sin(2 * np.pi * 50 * time_s[:15_900]), atol=1e-6)
    np.testing.assert_allclose(matched[16_100:], 0.5 * np.sin(2 * np.pi * 50 * time_s[16_260:]), atol=1e-6)


def test_channels_with_unlike_delays_are_a_finding_from_a_tenth_of_a_frame_on():
    (finding,) = delay_findings(None, [0.0, 0.12], 48_000, 10.0)
    assert finding.kind == "channel-delay"
    assert finding.values == {"delays_ms": [0.0, pytest.approx(0.0025)]}
    assert finding.text == "The target's right channel is 0.003 ms later than its left channel."
    assert delay_findings(None, [0.0, 0.09], 48_000, 10.0) == []
    assert delay_findings(None, [5.0, np.nan], 48_000, 10.0) == []
