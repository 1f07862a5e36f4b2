"""Loudness meter: the test signals of EBU Tech 3341 and 3342, and the readings of pyloudnorm and FFmpeg."""

import math
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
import pyloudnorm
import pytest
from av.audio.frame import AudioFrame

from rtgain.audio.sources.synthetic import PinkSource
from rtgain.metering.loudness import LoudnessMeter, _interpolator, k_weighting

RATE = 48_000
SURROUND_NAMES = ("FL", "FR", "FC", "LFE", "SL", "SR")


def tones(*steps: tuple[float, float], rate: int = RATE, channels: int = 2) -> np.ndarray:
    """Sines of 1 kHz, one after the other, by peak level in dBFS and seconds; shape (channels, frames)."""
    level = np.concatenate([np.full(round(seconds * rate), 10 ** (dbfs / 20)) for dbfs, seconds in steps])
    sine = level * np.sin(2 * np.pi * 1000 * np.arange(len(level)) / rate)
    return np.tile(sine, (channels, 1)).astype(np.float32)


def measured(samples: np.ndarray, rate: int = RATE, names: Sequence[str] = (), block: int = 4_801) -> LoudnessMeter:
    meter = LoudnessMeter(rate, len(samples), names)
    for start in range(0, samples.shape[1], block):
        meter.push(samples[:, start : start + block])
    return meter


@pytest.mark.parametrize("rate", [44_100, RATE, 192_000])
@pytest.mark.parametrize(
    ("steps", "lufs"),
    [
        ([(-23, 20)], -23),
        ([(-33, 20)], -33),
        ([(-36, 10), (-23, 60), (-36, 10)], -23),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23),
    ],
)
def test_integrated_loudness_of_tech_3341_cases_1_to_5(steps, lufs, rate):
    assert measured(tones(*steps, rate=rate), rate).integrated_lufs == pytest.approx(lufs, abs=0.1)


def test_integrated_loudness_of_tech_3341_case_6_weights_surround_channels():
    levels = (-28, -28, -24, -10, -30, -30)  # the low-frequency channel, silent in the document, must not count
    samples = np.concatenate([tones((level, 20), channels=1) for level in levels])
    assert measured(samples, names=SURROUND_NAMES).integrated_lufs == pytest.approx(-23, abs=0.1)


def test_short_term_loudness_of_tech_3341_case_9_is_constant():
    steps = [(-20, 1.34), (-30, 1.66)] * 5
    meter = LoudnessMeter(RATE, 2)
    samples = tones(*steps)
    readings = []
    for start in range(0, samples.shape[1], RATE // 10):
        meter.push(samples[:, start : start + RATE // 10])
        readings.append(meter.short_term_lufs)
    assert np.isnan(readings[:29]).all()
    np.testing.assert_allclose(readings[29:], -23, atol=0.1)


@pytest.mark.parametrize("delay_s", [0.0, 0.15, 0.95])
def test_short_term_loudness_of_tech_3341_case_10_reaches_the_level_of_a_tone_of_3_s(delay_s):
    meter = LoudnessMeter(RATE, 2)
    samples = tones((-200, delay_s), (-23, 3), (-200, 1))
    highest = -math.inf
    for start in range(0, samples.shape[1], RATE // 10):
        meter.push(samples[:, start : start + RATE // 10])
        highest = max(highest, meter.short_term_lufs if not math.isnan(meter.short_term_lufs) else highest)
    assert highest == pytest.approx(-23, abs=0.1 if round(delay_s * 10) == delay_s * 10 else 0.2)


def test_momentary_loudness_of_tech_3341_case_12_is_constant():
    meter = LoudnessMeter(RATE, 2)
    samples = tones(*[(-20, 0.18), (-30, 0.22)] * 25)
    readings = []
    for start in range(0, samples.shape[1], RATE // 10):
        meter.push(samples[:, start : start + RATE // 10])
        readings.append(meter.momentary_lufs)
    assert np.isnan(readings[:3]).all()
    np.testing.assert_allclose(readings[3:], -23, atol=0.1)


@pytest.mark.parametrize("rate", [44_100, RATE, 96_000])
@pytest.mark.parametrize(
    ("fraction", "phase_deg", "amplitude", "dbtp"),
    [(1 / 4, 0, 0.5, -6), (1 / 4, 45, 0.5, -6), (1 / 6, 60, 0.5, -6), (1 / 8, 67.5, 0.5, -6), (1 / 4, 45, 1.41, 3)],
)
def test_true_peak_of_tech_3341_cases_15_to_19(fraction, phase_deg, amplitude, dbtp, rate):
    frames = np.arange(rate)
    fade = np.minimum(1, np.minimum(frames, frames[::-1]) / (0.01 * rate))
    sine = amplitude * fade * np.sin(2 * np.pi * fraction * frames + math.radians(phase_deg))
    peak = measured(np.tile(sine, (2, 1)).astype(np.float32), rate).true_peak_dbtp
    assert dbtp - 0.4 <= peak <= dbtp + 0.2


@pytest.mark.parametrize("frequency_hz", [100, 5_000, 12_000, 19_999])
def test_true_peak_of_a_sine_is_its_amplitude_at_every_frequency_and_block_size(frequency_hz):
    sine = 0.25 * np.sin(2 * np.pi * frequency_hz * np.arange(RATE) / RATE + 0.3) * np.hanning(RATE)
    samples = sine[None].astype(np.float32)
    peaks = [measured(samples, block=block).true_peaks for block in (64, 1_000, RATE)]
    assert 20 * math.log10(peaks[0][0] / 0.25) == pytest.approx(0, abs=0.1)
    np.testing.assert_allclose(peaks, peaks[0][0], rtol=1e-6)


@pytest.mark.parametrize("rate", [48_000, 96_000, 192_000])
def test_true_peak_of_sound_that_changes_its_level_is_that_of_interpolating_every_sample(rate):
    random = np.random.default_rng(rate)
    samples = random.normal(0, 0.1, (4, 9_000)) * np.repeat(10.0 ** random.uniform(-2, 0, (4, 90)), 100, axis=1)
    interpolated = [np.convolve(channel, phase) for channel in samples for phase in _interpolator(rate)]
    between = np.abs(interpolated).reshape(4, -1) if interpolated else np.zeros((4, 1))
    expected = np.maximum(np.abs(samples).max(axis=1), between.max(axis=1))
    peaks = measured(samples.astype(np.float32), rate, block=700).true_peaks
    np.testing.assert_allclose(peaks, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("steps", "range_lu"),
    [
        ([(-20, 20), (-30, 20)], 10),
        ([(-20, 20), (-15, 20)], 5),
        ([(-40, 20), (-20, 20)], 20),
        ([(-50, 20), (-35, 20), (-20, 20), (-35, 20), (-50, 20)], 15),
    ],
)
def test_loudness_range_of_tech_3342_cases_1_to_4(steps, range_lu):
    assert measured(tones(*steps)).range_lu == pytest.approx(range_lu, abs=1)


def test_weighting_at_48_khz_equals_the_standard():
    expected = [
        [1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585],
        [1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621],
    ]
    np.testing.assert_allclose(k_weighting(RATE), expected, atol=1e-10)


@pytest.mark.parametrize("rate", [44_100, RATE])
def test_momentary_loudness_equals_the_blocks_of_pyloudnorm(rate):
    noise = PinkSource(rate, seed=1).read(3 * rate)
    noise[:, rate : 2 * rate] *= 0.1
    meter = LoudnessMeter(rate, 1)
    lufs = []
    for start in range(0, 3 * rate, rate // 10):
        meter.push(noise[:, start : start + rate // 10])
        lufs.append(meter.momentary_lufs)
    assert np.isnan(lufs[:3]).all()
    reference = pyloudnorm.Meter(rate)
    reference.integrated_loudness(noise[0].astype(np.float64))
    np.testing.assert_allclose(lufs[3:], reference.blockwise_loudness, atol=0.06)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_reading_agrees_with_pyloudnorm_and_ffmpeg(channels):
    noise = np.random.default_rng(0).standard_normal((channels, 30 * RATE))
    loud = np.where(np.arange(30 * RATE) // (4 * RATE) % 2, 0.1, 0.003)
    samples = (noise * loud).astype(np.float32)
    layout = {1: "mono", 2: "stereo", 5: "5.0"}[channels]
    names = [channel.name for channel in av.AudioLayout(layout).channels]
    meter = measured(samples, names=names)
    filtered = ebur128(samples, layout)
    assert meter.integrated_lufs == pytest.approx(float(filtered["lavfi.r128.I"]), abs=0.02)
    assert meter.range_lu == pytest.approx(float(filtered["lavfi.r128.LRA"]), abs=0.1)
    assert meter.true_peaks.max() == pytest.approx(float(filtered["lavfi.r128.true_peak"]), rel=0.01)
    assert meter.integrated_lufs == pytest.approx(
        pyloudnorm.Meter(RATE).integrated_loudness(samples.T.astype(np.float64)), abs=0.05
    )


def ebur128(samples: np.ndarray, layout: str) -> dict[str, str]:
    """Last reading of FFmpeg's filter."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=RATE, format="fltp", layout=layout, time_base=Fraction(1, RATE))
    meter = graph.add("ebur128", "metadata=1:framelog=quiet:peak=true")
    sink = graph.add("abuffersink")
    graph.link_nodes(source, meter, sink).configure()
    reading: dict[str, str] = {}
    for start in range(0, samples.shape[1], RATE // 10):
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples[:, start : start + RATE // 10]), "fltp", layout)
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        source.push(frame)
        try:
            while True:
                reading = sink.pull().metadata
        except (av.error.BlockingIOError, av.error.EOFError):
            continue
    return reading


def test_silence_is_minus_infinity_and_too_little_is_unknown():
    short = measured(np.ones((2, RATE // 10), np.float32))
    assert math.isnan(short.momentary_lufs)
    assert math.isnan(short.integrated_lufs)
    silent = measured(np.zeros((2, 4 * RATE), np.float32))
    readings = (silent.momentary_lufs, silent.short_term_lufs, silent.integrated_lufs, silent.true_peak_dbtp)
    assert readings == (-math.inf,) * 4
    assert math.isnan(silent.range_lu)


def test_reset_forgets_what_is_integrated_and_keeps_what_is_recent():
    meter = measured(tones((-10, 5)))
    meter.push(np.zeros((2, 100), np.float32))  # the end of the tone leaves the interpolation filter
    before = meter.short_term_lufs
    meter.reset()
    assert meter.short_term_lufs == before
    assert meter.true_peak_dbtp == -math.inf
    meter.push(tones((-30, 10)))
    assert meter.true_peak_dbtp == pytest.approx(-30, abs=0.1)
