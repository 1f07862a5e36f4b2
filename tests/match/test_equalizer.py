"""A pair whose target was equalized by another program: the filters, the residual behind them, and the recording."""

from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile

from rtgain.audio.sources.demo import DemoSource
from rtgain.cli.main import main
from rtgain.match.pair import match_pair
from rtgain.match.render import MatchedChannel, aligned_chunks, residual_db
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters
from rtgain.records.equalizer_text import parse_equalizer
from tests.ffmpeg_filters import ffmpeg_equalized

RATE = 32_000

EQUALIZER = EqualizerFilters(
    -3.0,
    (
        EqualizerFilter("low_shelf", 150.0, 5.0, 0.7),
        EqualizerFilter("peak", 1200.0, -6.0, 1.2),
        EqualizerFilter("high_shelf", 7000.0, 4.0, 0.7),
    ),
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pair")
    dry = 0.1 * np.random.default_rng(2).standard_normal(4 * RATE)
    target = -dry * 10 ** (EQUALIZER.gain_db / 20)
    for b0, b1, b2, a1, a2 in EQUALIZER.coefficients(RATE):
        target = scipy.signal.lfilter([b0, b1, b2], [1.0, a1, a2], target)
    for name, signal in (("dry", dry), ("target", np.concatenate([np.zeros(500), target]))):
        soundfile.write(folder / f"{name}.wav", signal, RATE, subtype="FLOAT")
    return folder / "dry.wav", folder / "target.wav"


def test_filters_of_a_pair_are_learned_and_leave_no_difference(pair: tuple[Path, Path], tmp_path: Path) -> None:
    details = match_pair(*pair, tmp_path / "matched.wav", processor="eq")
    assert details is not None
    result = details.result
    assert result.residual_db > -12.0  # type: ignore[operator]
    assert result.residual_eq_db < -30.0  # type: ignore[operator]
    assert result.polarity == -1
    assert details.equalizer is not None
    assert result.filters == [item.to_object() for item in details.equalizer.filters]
    hz = np.geomspace(60.0, 14_000.0, 50)
    ratio = details.equalizer.response(hz, RATE) / EQUALIZER.response(hz, RATE)
    assert np.abs(20 * np.log10(np.abs(ratio))).max() < 0.5
    recorded = residual_db(aligned_chunks(tmp_path / "matched.wav", pair[1], RATE, [MatchedChannel(1.0, 0.0)]))
    assert recorded == pytest.approx(result.residual_eq_db, abs=0.5)


@pytest.mark.parametrize(
    "filters",
    [
        (EqualizerFilter("peak", 1000.0, 5.0, 1.4), EqualizerFilter("peak", 4000.0, -4.0, 1.0)),
        (EqualizerFilter("peak", 110.0, 9.0, 3.0), EqualizerFilter("peak", 3000.0, -4.0, 1.0)),
    ],
    ids=["middle", "bass"],
)
def test_settings_of_another_program_are_read_off(filters: tuple[EqualizerFilter, ...], tmp_path: Path) -> None:
    """Two peaks at 4 kHz described the second one before; a narrow peak in the bass was 1.5 dB too low."""
    dry = DemoSource(RATE).read(5 * RATE)[0].astype(np.float64)
    for name, signal in (("dry", dry), ("target", ffmpeg_equalized(EqualizerFilters(-6.0, filters), dry, RATE))):
        soundfile.write(tmp_path / f"{name}.wav", signal, RATE, subtype="FLOAT")
    details = match_pair(tmp_path / "dry.wav", tmp_path / "target.wav", processor="eq")
    assert details is not None
    assert details.equalizer is not None
    learned = sorted(details.equalizer.filters, key=lambda item: -abs(item.gain_db))
    for item, expected in zip(learned, filters, strict=False):
        assert item.kind == expected.kind
        assert item.gain_db == pytest.approx(expected.gain_db, abs=0.3)
        assert item.frequency_hz == pytest.approx(expected.frequency_hz, rel=0.05)
    assert max(abs(item.gain_db) for item in learned[2:]) < 0.3
    assert details.equalizer.gain_db == pytest.approx(-6.0, abs=0.3)


def test_equalizer_output_needs_an_equalizer(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["match", *map(str, pair), "--eq-out", "out.txt"]) == 2
    assert capsys.readouterr().err == (
        "rtgain: --eq-out: there is no learned equalizer without --processor eq; add it\n"
    )
    assert main(["match", "--manifest", "pairs.csv", "--csv", "results.csv", "--processor", "eq"]) == 2
    assert "--processor eq is for one pair" in capsys.readouterr().err


def test_a_silent_channel_of_the_target_does_not_count(pair: tuple[Path, Path], tmp_path: Path) -> None:
    dry, target = (soundfile.read(path)[0] for path in pair)
    soundfile.write(tmp_path / "dry.wav", np.stack([dry, dry[::-1]], axis=1), RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "target.wav", np.stack([target, 0.0 * target], axis=1), RATE, subtype="FLOAT")
    details = match_pair(tmp_path / "dry.wav", tmp_path / "target.wav", processor="eq")
    assert details is not None
    assert details.equalizer is not None
    hz = np.geomspace(60.0, 14_000.0, 50)
    ratio = details.equalizer.response(hz, RATE) / EQUALIZER.response(hz, RATE)
    assert np.abs(20 * np.log10(np.abs(ratio))).max() < 0.5


def test_a_learned_equalizer_is_printed_instead_of_the_report(
    pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["match", *map(str, pair), "--processor", "eq", "--eq-out", "-"]) == 0
    printed = parse_equalizer(capsys.readouterr().out, "standard output")
    hz = np.geomspace(60.0, 14_000.0, 50)
    assert np.abs(20 * np.log10(np.abs(printed.response(hz, RATE) / EQUALIZER.response(hz, RATE)))).max() < 0.5


def test_pairs_without_the_processor_have_no_filters(pair: tuple[Path, Path]) -> None:
    details = match_pair(*pair, end=1.0)
    assert details is not None
    assert (details.result.filters, details.result.residual_eq_db, details.equalizer) == (None, None, None)
