"""Matching of two recordings of any sample rate and length: gain, delay, polarity, and the matched recording."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile
import soxr
from scipy.signal import sosfilt

from rtgain.audio.effects.interpolation import fractional_delay
from rtgain.errors import InputError
from rtgain.match.details import MatchDetails
from rtgain.match.figure import match_figure
from rtgain.match.pair import match_pair
from rtgain.match.result import MatchResult
from tests.commands import rtgain
from tests.figure_checks import legend_overlaps_curve
from tests.match.recordings import RATE, demo, write

KEYS = (
    "gain_db", "gain_linear", "std_db", "delay_samples", "delay_ms", "drift_ppm", "polarity", "state", "channels",
    "residual_db", "residual_eq_db", "filters", "response", "lufs_dry", "lufs_target", "lra_dry", "lra_target",
    "true_peak_dry_dbtp", "true_peak_target_dbtp", "findings",
)  # fmt: skip


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    return demo(8)


@pytest.fixture
def dry(tmp_path: Path, music: np.ndarray) -> Path:
    return write(tmp_path / "dry.wav", music)


@dataclass(frozen=True)
class Pair:
    """Two recordings and their match."""

    dry: Path
    target: Path
    details: MatchDetails

    @property
    def result(self) -> MatchResult:
        return self.details.result


@pytest.fixture(scope="module")
def halved(tmp_path_factory: pytest.TempPathFactory, music: np.ndarray) -> Pair:
    """The music and half of it."""
    folder = tmp_path_factory.mktemp("halved")
    dry, target = write(folder / "dry.wav", music), write(folder / "target.wav", 0.5 * music)
    return Pair(dry, target, details(dry, target))


def matched(
    dry: Path,
    target: np.ndarray,
    sample_rate: int = RATE,
    record: Path | None = None,
    name: str = "target.wav",
) -> MatchResult:
    return details(dry, write(dry.with_name(name), target, sample_rate), record).result


def details(dry: Path, target: Path, record: Path | None = None) -> MatchDetails:
    result = match_pair(dry, target, record)
    assert result is not None
    return result


@pytest.mark.parametrize("delay_frames", [0, 1, 220, 57_330])
def test_delayed_inverted_target_gives_gain_delay_and_polarity(dry, music, delay_frames):
    match = matched(dry, np.concatenate([np.zeros(delay_frames, np.float32), -0.3 * music]))
    assert match.gain_db == pytest.approx(20 * np.log10(0.3), abs=0.001)
    assert match.gain_linear == pytest.approx(0.3, rel=1e-4)
    assert match.delay_samples == pytest.approx(delay_frames, abs=0.01)
    assert match.delay_ms == pytest.approx(1e3 * delay_frames / RATE, abs=0.001)
    assert match.polarity == -1
    assert match.state == "tracking"
    assert match.residual_db is not None
    assert match.residual_db < -80


def test_target_that_starts_later_in_the_recording_has_a_negative_delay(dry, music):
    match = matched(dry, 0.5 * music[3 * RATE : 6 * RATE])
    assert match.delay_samples == pytest.approx(-3 * RATE, abs=0.01)
    assert match.gain_db == pytest.approx(20 * np.log10(0.5), abs=0.001)


def test_target_at_another_sample_rate_has_the_same_gain_and_no_delay(dry, music):
    resampled = soxr.resample(music, RATE, 48_000, quality="VHQ")
    match = matched(dry, 0.25 * resampled, 48_000)
    assert match.gain_db == pytest.approx(20 * np.log10(0.25), abs=0.002)
    assert match.delay_samples == pytest.approx(0, abs=0.02)
    removed = music - soxr.resample(resampled, 48_000, RATE, quality="VHQ")[: len(music)]  # near Nyquist
    assert match.residual_db == pytest.approx(10 * np.log10(np.mean(removed**2) / np.mean(music**2)), abs=1)


def test_fractional_delay_is_estimated(dry, music):
    spectrum = np.fft.rfft(music.astype(np.float64), 2 * len(music))
    shift = np.exp(-2j * np.pi * np.fft.rfftfreq(2 * len(music)) * 100.37)
    later = np.fft.irfft(spectrum * shift)[: len(music) + 200]
    match = matched(dry, 0.5 * later)
    assert match.delay_samples == pytest.approx(100.37, abs=0.01)
    assert match.residual_db is not None
    assert match.residual_db < -45  # the hi-hats reach the Nyquist frequency, where no filter delays exactly


def test_noise_sets_the_residual_and_increases_the_standard_deviation(dry, music):
    noise = np.random.default_rng(1).standard_normal(len(music)) * 0.1 * music.std()
    match = matched(dry, 0.5 * (music + noise))
    assert match.gain_db == pytest.approx(20 * np.log10(0.5), abs=0.01)
    assert match.residual_db == pytest.approx(-20, abs=0.3)
    assert match.std_db is not None
    assert abs(match.gain_db - 20 * np.log10(0.5)) < 4 * match.std_db < 0.05


def test_equalized_target_has_a_large_standard_deviation(halved, music):
    plain = halved.result
    lowpass = np.array([[0.2, 0.2, 0.0, 1.0, -0.6, 0.0]])
    equalized = matched(halved.dry, 0.5 * sosfilt(lowpass, music), name="equalized.wav")
    assert plain.std_db is not None
    assert equalized.std_db is not None
    assert equalized.std_db > 10 * plain.std_db


def test_matched_recording_equals_the_target_in_all_channels(tmp_path, music):
    stereo = np.stack([music, np.roll(music, 5000)], axis=1)
    dry = write(tmp_path / "dry.wav", stereo)
    target = np.concatenate([np.zeros((700, 2), np.float32), -0.4 * stereo])
    record = tmp_path / "matched.wav"
    matched(dry, target, record=record)
    recorded, rate = soundfile.read(record)
    assert rate == RATE
    assert recorded.shape == target.shape
    np.testing.assert_allclose(recorded, target, atol=2e-5)


def test_loudness_agrees_with_pyloudnorm(halved, music):
    match = halved.result
    expected = pyloudnorm.Meter(RATE).integrated_loudness(music.astype(np.float64))
    assert match.lufs_dry == pytest.approx(expected, abs=0.06)  # its weighting differs from the table of BS.1770
    assert match.lufs_target == pytest.approx(expected - 20 * np.log10(2), abs=0.05)


def test_true_peak_is_that_of_the_loudest_channel_at_eight_times_the_rate(tmp_path, music):
    music = music[: 2 * RATE]
    stereo = np.stack([0.5 * music, music], axis=1)
    dry, target = (write(tmp_path / f"{name}.wav", gain * stereo) for name, gain in (("dry", 1), ("target", 0.25)))
    match = details(dry, target).result
    peak_dbtp = 20 * np.log10(np.abs(soxr.resample(music, RATE, 8 * RATE, quality="VHQ")).max())
    assert match.true_peak_dry_dbtp == pytest.approx(peak_dbtp, abs=0.1)
    assert match.true_peak_target_dbtp == pytest.approx(peak_dbtp - 20 * np.log10(4), abs=0.1)


def test_loudness_range_is_the_difference_of_two_levels_and_not_changed_by_a_gain(tmp_path, music):
    rate = RATE // 4
    music = soxr.resample(music, RATE, rate)
    sound = np.concatenate([0.1 * np.tile(music, 2), np.tile(music, 2)])  # two levels, 20 dB apart, 16 s each
    pair = (write(tmp_path / f"{name}.wav", gain * sound, rate) for name, gain in (("dry", 1), ("target", 0.25)))
    match = details(*pair).result
    assert match.lra_dry == pytest.approx(20, abs=1)
    assert match.lra_target == pytest.approx(match.lra_dry, abs=0.05)


def test_recording_of_less_than_three_seconds_has_no_loudness_range(dry, music):
    match = matched(dry, 0.5 * music[: 2 * RATE])
    assert match.lra_target is None
    assert match.lra_dry is not None


@pytest.mark.parametrize("state", ["incoherent", "silent"])
def test_unmatched_pair_has_a_state_and_no_numbers(dry, music, state):
    target = {"incoherent": np.random.default_rng(0).standard_normal(len(music)) * 0.1, "silent": 0 * music}[state]
    match = matched(dry, target)
    assert match.state == state
    assert (match.gain_db, match.gain_linear, match.std_db, match.delay_samples, match.residual_db) == (None,) * 5
    assert match.polarity == 0
    with pytest.raises(InputError, match="nothing was recorded"):
        matched(dry, target, record=dry.with_name("out.wav"))


@pytest.mark.parametrize("ceiling", [1.0, 0.3])
def test_clipped_windows_are_ignored_at_any_ceiling(dry, music, ceiling):
    match = matched(dry, ceiling * np.clip(4 * music, -1, 1))
    assert match.state == "clipped"
    assert match.gain_db == pytest.approx(20 * np.log10(4 * ceiling), abs=0.01)
    everywhere = matched(dry, ceiling * np.clip(1e4 * (music + 0.01), -1, 1))
    assert everywhere.state == "clipped"


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize("kind", ["sine", "square", "clipped master"])
def test_full_scale_is_matched(tmp_path, music, kind, subtype):
    time_s = np.arange(3 * RATE) / RATE
    dry = {
        "sine": np.sin(2 * np.pi * 997 * time_s),
        "square": np.where(time_s * 200.3 % 1 < 0.5, 1.0, -1.0),
        "clipped master": np.clip(4 * music[: 3 * RATE], -1, 1),
    }[kind]
    paths = tmp_path / "full.wav", tmp_path / "half.wav"
    for path, signal in zip(paths, (dry, 0.5 * dry), strict=True):
        soundfile.write(path, signal, RATE, subtype=subtype)
    for (first, second), gain_db in ((paths, -6.0206), (paths[::-1], 6.0206)):
        match = details(first, second).result
        assert match.gain_db == pytest.approx(gain_db, abs=0.001)
        assert match.state == "tracking"


def test_float_peaks_above_full_scale_are_matched_and_recorded_as_wav_only(dry, music):
    record = dry.with_name("matched.wav")
    louder = details(dry, write(dry.with_name("louder.wav"), 8 * music), record)
    match = louder.result
    assert match.gain_db == pytest.approx(20 * np.log10(8), abs=0.001)
    assert match.state == "tracking"
    assert any("matched.wav: peaks of " in notice and "above full scale" in notice for notice in louder.notices)
    recorded, _ = soundfile.read(record, dtype="float32")
    assert np.abs(recorded).max() > 1.5
    np.testing.assert_allclose(recorded, 8 * music, atol=1e-3)
    flac = dry.with_name("matched.flac")
    with pytest.raises(
        InputError, match=r"matched\.flac: FLAC cannot hold .* full scale; use a name that ends in \.wav"
    ):
        matched(dry, 8 * music, record=flac)
    assert not flac.exists()
    matched(dry, 0.5 * music, record=flac)
    np.testing.assert_allclose(soundfile.read(flac)[0], 0.5 * music, atol=1e-4)


def test_figure_has_file_names_sentence_response_and_a_level_curve_where_there_are_dynamics(halved, dry, music):
    figure = match_figure(halved.details, halved.dry, halved.target)
    assert not legend_overlaps_curve(figure)
    title = figure.get_suptitle()
    assert title.startswith("dry.wav → target.wav\nThe target is 6.02 dB softer than the dry recording. Nothing else")
    response = figure.axes[1].get_lines()[0].get_ydata()
    np.testing.assert_allclose(response[np.isfinite(response)], 20 * np.log10(0.5), atol=0.01)
    assert figure.axes[2].get_xlabel() == "time in the target (s)"
    loud = np.abs(music) > 0.1
    target = dry.with_name("target.wav")
    squashed = details(dry, write(target, np.where(loud, np.sign(music) * (0.1 + (np.abs(music) - 0.1) / 8), music)))
    assert "dynamics" in [finding["kind"] for finding in squashed.result.findings]
    assert "level of the dry recording" in match_figure(squashed, dry, target).axes[2].get_xlabel()


@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.5, 0.9])
def test_fractional_delay_filter_is_flat_and_exact_up_to_nine_tenths_of_nyquist(fraction):
    taps = fractional_delay(fraction)
    omega = np.pi * np.linspace(0.01, 0.9, 50)
    response = np.exp(-1j * np.outer(omega, np.arange(len(taps)) - 64)) @ taps
    np.testing.assert_allclose(response, np.exp(-1j * omega * fraction), atol=1e-3)


def test_match_command_prints_the_result_and_writes_the_requested_outputs(tmp_path, dry, music):
    target = write(tmp_path / "target.wav", 0.5 * music)
    outputs = {name: tmp_path / name for name in ("m.json", "m.wav", "m.png")}
    run = rtgain(
        *("match", dry, target, "--json", outputs["m.json"]),
        *("--record", outputs["m.wav"], "--plot", outputs["m.png"]),
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert tuple(json.loads(outputs["m.json"].read_text())) == KEYS
    lines = run.stdout.splitlines()
    assert max(map(len, lines[2:])) <= 80
    assert "The target is 6.02 dB softer than the dry recording. Nothing else differs: the" in lines
    assert all(str(path) in run.stdout for path in outputs.values())
    assert soundfile.info(outputs["m.wav"]).frames == len(music)
    assert outputs["m.png"].read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dry.wav"], "needs two recordings"),
        (["dry.wav", "none.wav"], "none.wav: does not exist"),
        (["dry.wav", "text.wav"], "text.wav"),
        (["dry.wav", "short.wav"], "at least 512 are required"),
        (["dry.wav", "dry.wav", "--csv", "x.csv"], "--manifest"),
        (["dry.wav", "dry.wav", "--record", "dry.wav"], "is also an input"),
        (["--manifest", "m.csv"], "--csv"),
        (["dry.wav", "dry.wav", "--manifest", "m.csv"], "give either DRY and TARGET, or --manifest"),
    ],
)
def test_invalid_arguments_are_reported_in_one_line(tmp_path, dry, words, message):
    (tmp_path / "text.wav").write_text("not a sound, but long enough to be read")
    write(tmp_path / "short.wav", np.zeros(100, np.float32))
    run = rtgain("match", *words, cwd=tmp_path)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("rtgain: ")
    assert run.stderr.count("\n") == 1
    assert message in run.stderr


def test_long_pair_keeps_a_part_of_its_estimates_with_the_same_gain(halved, monkeypatch):
    monkeypatch.setattr("rtgain.match.pair.MAX_ESTIMATES", 60)
    result = details(halved.dry, halved.target)
    assert len(result.estimates) <= 60
    assert len(result.estimates) < len(halved.details.estimates) / 3
    frames = [estimate.center_frame for estimate in result.estimates]
    assert np.ptp(np.diff(frames[:-1])) == 0
    assert frames[-1] > 0.9 * halved.details.estimates[-1].center_frame
    assert result.result.gain_db == pytest.approx(halved.result.gain_db, abs=1e-4)
    assert result.result.findings == halved.result.findings
