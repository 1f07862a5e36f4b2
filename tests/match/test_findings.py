"""Findings: every kind of difference with its value, and no finding where there is no difference."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import butter, sosfilt

from rtgain.audio.sources.synthetic import PinkSource
from rtgain.audio.sources.synthetic_speech import synthetic_speech
from rtgain.bench.findings import CASES, FindingCase, find, row
from rtgain.bench.signals import BenchSignal
from rtgain.match.findings import describe_regions, find_steps
from rtgain.match.gain_model import GainMotion
from rtgain.match.pair import match_pair
from rtgain.match.result import MatchResult
from rtgain.metering.level_detectors import DETECTORS, DetectorBank
from rtgain.metering.plateaus import PlateauCounter
from tests.encoded_files import encode
from tests.match.recordings import demo, write

RATE = 16_000
SECONDS = 8


@pytest.fixture(scope="module")
def signals() -> dict[str, BenchSignal]:
    sounds = {"music": demo(SECONDS, RATE), "speech": synthetic_speech(RATE, SECONDS * RATE, seed=3)}
    return {name: BenchSignal(name, samples, RATE) for name, samples in sounds.items()}


TOLERANCES = {"noise": 0.5, "equalization": 0.3, "dynamics": 0.42, "moving-gain": 1.2, "dc-offset": 0.002}
"""Largest error of the measured values; a ratio of 4 to 10 %, a fade of speech that ends in a pause."""


@pytest.mark.parametrize("name", ["music", "speech"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_difference_is_found_at_three_strengths_with_its_value_and_nothing_else(
    signals: dict[str, BenchSignal], case: FindingCase, name: str
) -> None:
    measured = row(signals[name], case)
    assert measured["all_found"]
    assert measured["false_findings"] == ""
    tolerance = TOLERANCES.get(case.kinds[0]) if case.kinds else None
    if tolerance is not None and measured["measured"]:
        values = [float(value) for value in measured["measured"].split()]
        assert values == pytest.approx(case.strengths, abs=tolerance)
    if case.kinds == ("bandwidth",):
        octaves = np.log2([float(value) / (RATE / 2) for value in measured["measured"].split()])
        assert octaves == pytest.approx(np.log2(case.strengths), abs=1 / 12)


def pink(sample_rate: int, seed: int) -> BenchSignal:
    return BenchSignal("pink", PinkSource(sample_rate, seed=seed).read(SECONDS * sample_rate)[0].copy(), sample_rate)


@pytest.mark.parametrize("sample_rate", [16_000, 22_050, 48_000])
@pytest.mark.parametrize("seed", [5, 6])
def test_sound_above_the_end_of_the_target_is_no_other_difference(sample_rate: int, seed: int) -> None:
    """Of pink noise, what the target lacks is as constant as noise. The end lies anywhere within a band."""
    case = next(case for case in CASES if case.kinds == ("bandwidth",))
    for strengths in (case.strengths, (0.75, 0.6, 0.45)):
        measured = row(pink(sample_rate, seed), replace(case, strengths=strengths))
        assert measured["false_findings"] == ""
        octaves = np.log2([2 * float(value) / sample_rate for value in measured["measured"].split()])
        assert octaves == pytest.approx(np.log2(strengths), abs=1 / 12)


@pytest.mark.parametrize("seed", [2, 3])
def test_distortion_of_a_steady_sound_is_no_noise_of_the_dry_recording(seed: int) -> None:
    measured = row(pink(44_100, seed), next(case for case in CASES if case.kinds == ("distortion",)))
    assert measured["all_found"]
    assert measured["false_findings"] == ""


def test_long_pair_is_analyzed_in_a_part_of_its_windows_with_the_same_findings(signals, monkeypatch) -> None:
    monkeypatch.setattr("rtgain.match.analysis.MAX_WINDOWS", 60)
    monkeypatch.setattr("rtgain.match.analysis.MAX_LEVEL_WINDOWS", 30)
    for kind, strength in (("moving-gain", 12.0), ("dynamics", 4.0), ("noise", 20.0), ("equalization", 6.0)):
        case = next(case for case in CASES if case.kinds == (kind,))
        explanation = find(signals["music"], case, strength)
        assert [finding.kind for finding in explanation.findings] == [kind]
        spectra = explanation.evidence.spectra
        assert spectra is not None
        assert len(spectra.times_s) <= 60
        assert len(spectra.leveled) <= 30
        assert np.ptp(spectra.times_s) > SECONDS - 1


def step(samples: np.ndarray, _: int, change_db: float) -> np.ndarray:
    gain = np.ones(samples.shape[1])
    gain[samples.shape[1] // 2 :] = 10 ** (-change_db / 20)
    return samples * gain


def sway(samples: np.ndarray, sample_rate: int, range_db: float) -> np.ndarray:
    """A gain that moves up and down once in 5 s."""
    phase = 2 * np.pi * 0.2 * np.arange(samples.shape[1]) / sample_rate
    return samples * 10 ** (range_db / 2 * np.sin(phase) / 20)


@pytest.mark.parametrize(("name", "make"), [("music", step), ("music", sway), ("speech", sway)])
def test_noise_of_the_dry_recording_is_found_next_to_a_gain_that_moves(signals, name, make) -> None:
    case = next(case for case in CASES if case.kinds == ("moving-gain", "noise"))
    for strength in (6.0, 12.0):  # a pause may hide an extreme
        findings = {each.kind: each.values for each in find(signals[name], replace(case, make=make), strength).findings}
        assert set(findings) == {"moving-gain", "noise"}
        assert findings["moving-gain"]["range_db"] == pytest.approx(
            strength, abs=0.7
        )  # pauses of speech hide an extreme
        assert findings["noise"]["file"] == "dry"


@pytest.mark.parametrize("snr_db", [10, 20, 30])
@pytest.mark.parametrize("cutoff_hz", [1_000, 3_000])
@pytest.mark.parametrize("name", ["music", "speech"])
def test_noise_of_a_dry_recording_above_the_end_of_its_sound_is_no_bandwidth(
    tmp_path, signals, name: str, cutoff_hz: int, snr_db: int
) -> None:
    sound = sosfilt(butter(8, cutoff_hz, fs=RATE, output="sos"), signals[name].samples)
    noise = 10 ** (-snr_db / 20) * sound.std() * np.random.default_rng(snr_db).standard_normal(len(sound))
    result = match(tmp_path, sound + noise, 0.5 * sound)
    assert [(finding["kind"], finding.get("file")) for finding in result.findings] == [("noise", "dry")]
    assert result.findings[0]["level_dbfs"] == pytest.approx(20 * np.log10(noise.std()), abs=0.5)
    assert result.state == "tracking"


@pytest.mark.parametrize("snr_db", [20, 30])
def test_noise_of_the_target_behind_a_low_pass_is_not_that_of_the_dry_recording(tmp_path, snr_db: int) -> None:
    """Of constant sound, what the target lacks is as constant as noise."""
    for dry in (pink(RATE, 8).samples, 0.1 * np.random.default_rng(9).standard_normal(SECONDS * RATE)):
        sound = sosfilt(butter(12, 3_000, fs=RATE, output="sos"), dry)
        noise = 10 ** (-snr_db / 20) * sound.std() * np.random.default_rng(snr_db).standard_normal(len(sound))
        result = match(tmp_path, dry, 0.5 * (sound + noise))
        assert {finding["kind"]: finding.get("file") for finding in result.findings}["noise"] == "target"


@pytest.fixture(scope="module")
def stereo() -> np.ndarray:
    """Two unlike channels, (frames, 2)."""
    music = demo(9, RATE)
    return np.stack([music[: 6 * RATE], 0.7 * music[3 * RATE :]], axis=1).astype(np.float64)


def match(tmp_path, dry: np.ndarray, target: np.ndarray) -> MatchResult:
    details = match_pair(write(tmp_path / "dry.wav", dry, RATE), write(tmp_path / "target.wav", target, RATE))
    assert details is not None
    return details.result


def kinds(result: MatchResult) -> list[str]:
    return [finding["kind"] for finding in result.findings]


def test_differences_of_the_channels_are_found(tmp_path, stereo):
    balance = match(tmp_path, stereo, stereo * 10 ** (np.array([-6.06, -6.0]) / 20))
    assert kinds(balance) == ["channel-balance"]
    assert balance.findings[0]["gains_db"] == pytest.approx([-6.06, -6.0], abs=0.01)
    assert "the right channel is 0.06 dB louder" in balance.findings[0]["text"].replace("The right", "the right")
    polarity = match(tmp_path, stereo, stereo * [0.5, -0.5])
    assert kinds(polarity) == ["channel-polarity"]
    assert polarity.findings[0]["polarities"] == [1, -1]
    mixed = stereo + 0.8 * stereo[:, ::-1]  # channels with so much in common that a delay is found
    swapped = match(tmp_path, mixed, 0.5 * mixed[:, ::-1])
    assert kinds(swapped) == ["channels-swapped"]
    assert swapped.state == "converging"


@pytest.mark.parametrize("inverted", [0, 1])
def test_inverted_channel_of_a_swapped_pair_is_found_as_well(tmp_path, stereo, inverted):
    mixed = stereo + 0.8 * stereo[:, ::-1]
    polarities = [1, 1]
    polarities[inverted] = -1
    result = match(tmp_path, mixed, 0.5 * mixed[:, ::-1] * polarities)
    assert kinds(result) == ["channels-swapped", "channel-polarity"]
    assert result.findings[1]["polarities"] == polarities
    assert f"The {('left', 'right')[inverted]} channel is upside down" in result.findings[1]["text"]


@pytest.mark.parametrize("channels", [1, 2])
def test_mono_mix_of_a_stereo_recording_is_named_and_nothing_else(tmp_path, stereo, channels):
    mix = stereo.mean(axis=1, keepdims=True)
    result = match(tmp_path, stereo, np.repeat(mix, channels, axis=1))
    (finding,) = result.findings
    assert (finding["kind"], finding["is_mono"]) == ("channel-balance", True)
    assert finding["text"] == "The target is mono: it is a mix of the left and the right channel of the dry recording."
    assert result.state == "converging"


@pytest.mark.parametrize("other", [0.4, -0.3])
def test_another_stereo_width_is_no_other_difference(tmp_path, stereo, other):
    result = match(tmp_path, stereo, 0.5 * (stereo + other * stereo[:, ::-1]))
    (finding,) = result.findings
    assert (finding["kind"], finding["is_mono"]) == ("channel-balance", False)


def test_target_below_the_resolution_of_the_powers_has_no_finding(tmp_path, stereo):
    result = match(tmp_path, stereo, 1e-38 * stereo)
    assert (result.state, result.findings) == ("silent", [])


def test_slow_low_pass_ends_between_two_frequencies(tmp_path, stereo):
    """Butterworth, 4th order: 6 dB less at 1.15 of the corner, 20 dB less at 1.78 of it."""
    corner_hz = 1_000.0
    size = 2 * len(stereo)
    response = 1 / np.sqrt(1 + (np.fft.rfftfreq(size, 1 / RATE) / corner_hz) ** 8)
    target = np.fft.irfft(np.fft.rfft(stereo, size, axis=0) * response[:, None], size, axis=0)[: len(stereo)]
    finding = next(each for each in match(tmp_path, stereo, target).findings if each["kind"] == "bandwidth")
    assert np.log2(finding["frequency_hz"] / corner_hz) == pytest.approx(np.log2(3 ** (1 / 8)), abs=1 / 12)
    assert np.log2(finding["stopped_hz"] / corner_hz) == pytest.approx(np.log2(99 ** (1 / 8)), abs=1 / 12)
    assert finding["text"].startswith("The target ends between 1.2 kHz and 1.7 kHz: ")


def test_gain_that_reaches_0_db_is_as_loud(tmp_path):
    music = demo(6, RATE)
    ramp_db = np.interp(np.arange(len(music)) / RATE, [0, 2, 4, 6], [0, 0, -12, -12])
    (finding,) = match(tmp_path, music, music * 10 ** (ramp_db / 20)).findings
    assert finding["text"] == (
        "The level moves: the target is between 12.00 dB softer than the dry recording and as loud."
    )


def test_step_of_the_gain_is_found_with_its_time_and_the_deviation_covers_both_gains(tmp_path):
    music = demo(6, RATE)
    target = np.where(np.arange(len(music)) < 2.7 * RATE, 0.5, 0.25) * music
    result = match(tmp_path, music, target)
    assert kinds(result) == ["moving-gain"]
    finding = result.findings[0]
    assert finding["step_times_s"] == pytest.approx([2.7], abs=0.1)
    assert finding["step_changes_db"] == pytest.approx([-6.02], abs=0.05)
    assert (finding["low_db"], finding["high_db"]) == pytest.approx((-12.04, -6.02), abs=0.05)
    assert result.state == "converging"
    assert result.gain_db is not None
    assert result.std_db is not None
    assert result.gain_db - 2 * result.std_db < -12.0
    assert result.gain_db + 2 * result.std_db > -6.03


def bursts(seconds: int, seed: int) -> np.ndarray:
    """Chords with bursts of noise, (2, frames): what codecs change most."""
    random = np.random.default_rng(seed)
    time_s = np.arange(seconds * CD_RATE) / CD_RATE
    beat = (time_s / 0.4).astype(int)
    phase_s = time_s - 0.4 * beat
    notes_hz = 110 * 2 ** (random.integers(0, 24, (3, beat[-1] + 1)) / 12)
    chord = sum(
        np.sin(2 * np.pi * harmonic * note[beat] * time_s) / harmonic for note in notes_hz for harmonic in (1, 3)
    )
    decays_s, levels = random.uniform(0.01, 0.08, beat[-1] + 1), random.uniform(0, 0.2, beat[-1] + 1)
    noise = random.standard_normal((2, len(time_s))) * levels[beat] * np.exp(-phase_s / decays_s[beat])
    return 0.05 * chord * np.exp(-3 * phase_s) + noise


CD_RATE = 44100


@pytest.mark.parametrize(("extension", "bit_rate"), [("m4a", 96_000), ("mp3", 64_000), ("opus", 48_000)])
def test_error_of_a_codec_is_no_moving_level(tmp_path, extension, bit_rate):
    rate = 48000 if extension == "opus" else CD_RATE
    sound = bursts(30, seed=7)
    path = encode(tmp_path / f"target.{extension}", 0.5 * sound, rate, bit_rate=bit_rate)
    details = match_pair(write(tmp_path / "dry.wav", sound.T, rate), path)
    assert details is not None
    assert details.result.gain_db == pytest.approx(-6.02, abs=0.6)  # LAME turns its input down
    assert "moving-gain" not in kinds(details.result)


def test_small_automation_is_found_with_its_range(tmp_path):
    sound = bursts(30, seed=8).T
    gain_db = np.where((np.arange(len(sound)) // CD_RATE) % 20 == 10, -5.75, -6.0)
    result = match(tmp_path, sound, sound * 10 ** (gain_db[:, None] / 20))
    assert kinds(result) == ["moving-gain"]
    assert result.findings[0]["range_db"] == pytest.approx(0.25, abs=0.03)


def test_equalized_pair_is_not_one_gain_and_its_deviation_contains_most_of_the_sound(tmp_path, signals):
    shelf = next(case for case in CASES if case.kinds == ("equalization",))
    music = signals["music"].samples[None].astype(np.float64)
    result = match(tmp_path, music[0], 0.5 * shelf.make(music, RATE, 6.0)[0])
    assert kinds(result) == ["equalization"]
    assert result.state == "converging"
    assert result.std_db is not None
    assert 2 * result.std_db > 5
    assert result.response is not None
    below = np.array(result.response["frequency_hz"]) < 90
    assert np.array(result.response["gain_db"])[below] == pytest.approx(-0.02, abs=0.4)


def test_stretched_pair_is_a_different_recording_and_has_no_gain(tmp_path, signals):
    slower = next(case for case in CASES if case.name == "stretch (%)")
    speech = signals["speech"].samples[None].astype(np.float64)
    result = match(tmp_path, speech[0], 0.5 * slower.make(speech, RATE, 3.0)[0])
    assert (result.state, result.gain_db, kinds(result)) == ("incoherent", None, ["different-recording"])


@pytest.mark.parametrize("is_target", [True, False])
def test_clipped_file_is_named(tmp_path, is_target):
    music = demo(4, RATE)
    pair = (music, np.clip(4 * music, -0.9, 0.9))
    result = match(tmp_path, *(pair if is_target else pair[::-1]))
    clipping = next(finding for finding in result.findings if finding["kind"] == "clipping")
    assert clipping["file"] == ("target" if is_target else "dry")


def test_full_scale_in_both_files_is_no_finding(tmp_path):
    music = np.clip(4 * demo(3, RATE), -1, 1)
    paths = tmp_path / "full.wav", tmp_path / "half.wav"
    for path, gain in zip(paths, (1.0, 0.5), strict=True):
        soundfile.write(path, gain * music, RATE, subtype="PCM_16")
    details = match_pair(*paths)
    assert details is not None
    assert details.result.findings == []


def test_regions_are_named_by_where_the_tone_differs():
    frequency_hz = 1000 * 2.0 ** (np.arange(-12, 13) / 3)  # 62.5 Hz to 16 kHz
    deviation_db = np.where(frequency_hz < 150, 6.0, np.where(frequency_hz > 5000, -3.0, 0.0))
    differs = np.abs(deviation_db) > 0.25
    bass, treble = describe_regions(frequency_hz, deviation_db, differs)
    assert bass.startswith("bass up to 6.0 dB louder below 140 Hz")
    assert treble.startswith("treble up to 3.0 dB softer above 4.5 kHz")


def test_slow_fade_has_no_step():
    times_s = np.arange(0, 10, 0.05)
    exact = np.zeros(len(times_s))
    fade = GainMotion(times_s, np.linspace(0, -12, len(times_s)), exact + 0.001, exact, exact)
    assert find_steps(fade) == []


def test_detectors_measure_the_level_of_a_sine():
    sine = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)[None]
    levels_db = DetectorBank(RATE, RATE // 100).push(sine)[:, -1]
    slow_rms = next(i for i, d in enumerate(DETECTORS) if (d.is_peak, d.attack_s, d.release_s) == (False, 0.05, 0.05))
    assert levels_db[slow_rms] == pytest.approx(20 * np.log10(np.sqrt(0.5)), abs=0.01)
    fast_peak = next(i for i, d in enumerate(DETECTORS) if (d.is_peak, d.attack_s, d.release_s) == (True, 0.001, 0.25))
    assert -0.5 < levels_db[fast_peak] < 0


def test_plateaus_are_counted_at_the_extreme_only():
    counter = PlateauCounter(1)
    counter.push(np.array([[0.5, 0.5, 0.5, 0.5, 0.0, 0.9, 0.9]], np.float32))
    counter.push(np.array([[0.9, 0.0, 0.9, 0.9, 0.0, -0.3, -0.3, -0.3, 0.9, 0.9, 0.9]], np.float32))
    assert counter.count == 3  # two at 0.9, of which one crosses the blocks, and one at −0.3


def limit(samples: np.ndarray, sample_rate: int, drive_db: float) -> np.ndarray:
    """Limit to the RMS level behind `drive_db`: the gain of the next 5 ms, released along a line within 50 ms."""
    driven = 10 ** (drive_db / 20) * samples
    ceiling = np.sqrt(np.mean(samples**2)) * 2.0
    peaks = np.abs(driven).max(axis=0)
    ahead = round(0.005 * sample_rate)
    upcoming = sliding_window_view(np.pad(peaks, (0, ahead - 1)), ahead).max(axis=-1)
    needed = np.minimum(1.0, ceiling / np.maximum(upcoming, 1e-9))
    rise = 1.0 / (0.05 * sample_rate)
    ramp = rise * np.arange(len(needed))
    gain = np.minimum.accumulate(needed - ramp) + ramp
    return driven * np.minimum(gain, 1.0)


@pytest.mark.parametrize("drive_db", [1.0, 8.0])
def test_limiter_with_fast_gain_is_dynamics_and_no_moving_level(drive_db):
    """Its gain changes within a window, so that a level explains less of it than behind a compressor."""
    case = FindingCase("limiter (dB)", ("dynamics",), (1.0, 3.0, 8.0), limit)
    explanation = find(BenchSignal("bursts", bursts(8, seed=7)[0], CD_RATE), case, drive_db)
    assert [finding.kind for finding in explanation.findings] == ["dynamics"]
    assert explanation.findings[0].values["ratio"] > 2.0
