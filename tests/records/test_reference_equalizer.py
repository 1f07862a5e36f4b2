"""Equalizer of the reference path: option, file, and filters."""

from pathlib import Path

import numpy as np
import pytest

from rtgain.config.presets import load_preset, preset_text
from rtgain.config.reference_equalizer import FLAT_EQUALIZER, ReferenceEqualizer, ReferenceFilter
from rtgain.config.session_config import SessionConfig, make_session_config
from rtgain.errors import InputError
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters
from rtgain.records.reference_equalizer import reference_equalizer, reference_filters, to_option

PEAK = ReferenceFilter(type="peak", frequency_hz=1000.0, gain_db=6.0, q=1.0)
OFF = PEAK.model_copy(update={"on": False, "frequency_hz": 9000.0})


def test_a_filter_that_is_off_has_no_effect_and_keeps_its_row() -> None:
    config = SessionConfig(equalizer=ReferenceEqualizer(gain_db=-2.0, filters=(OFF, PEAK)))
    filters = reference_filters(config, 8_000)  # 9 kHz would be too high
    assert filters.gain_db == -2.0
    off, on = filters.coefficients(8_000)
    assert off.tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]
    alone = EqualizerFilters(0.0, (EqualizerFilter("peak", 1000.0, 6.0, 1.0),))
    np.testing.assert_array_equal(on, alone.coefficients(8_000)[0])


def test_the_default_equalizer_is_flat() -> None:
    assert reference_equalizer(SessionConfig()) == FLAT_EQUALIZER
    assert reference_filters(SessionConfig(), 8_000).coefficients(8_000).shape == (0, 5)


def test_a_file_replaces_the_option_and_becomes_one(tmp_path: Path) -> None:
    path = tmp_path / "eq.txt"
    path.write_text("Preamp: -3 dB\nFilter 1: ON PK Fc 500 Hz Gain 2 dB Q 1.5\n")
    config = SessionConfig(eq=str(path), equalizer=ReferenceEqualizer(filters=(PEAK,)))
    expected = EqualizerFilters(-3.0, (EqualizerFilter("peak", 500.0, 2.0, 1.5),))
    assert reference_filters(config, 48_000) == expected
    assert reference_equalizer(config) == to_option(expected)


def test_errors_name_the_option_and_the_filter() -> None:
    config = SessionConfig(equalizer=ReferenceEqualizer(filters=(PEAK, OFF.model_copy(update={"on": True}))))
    with pytest.raises(InputError, match="equalizer: filter 2: 9000 Hz is not below half of the sample rate of 8000"):
        reference_filters(config, 8_000)


@pytest.mark.parametrize(
    ("preset", "line"),
    [
        ('{"filters": [{"type": "peak", "frequency_hz": 100, "gain_db": 99, "q": 1}]}', "equalizer.filters.0.gain_db"),
        ('{"filters": [{"type": "notch", "frequency_hz": 100, "gain_db": 9, "q": 1}]}', "equalizer.filters.0.type"),
        ('{"volume": 3}', "'equalizer.volume' is not a session option; remove it"),
    ],
)
def test_faulty_presets_are_reported_in_one_line(tmp_path: Path, preset: str, line: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(f'{{"version": 1, "session": {{"equalizer": {preset}}}}}')
    with pytest.raises(InputError) as caught:
        load_preset(path)
    assert str(caught.value).startswith(f"{path}: {line}")
    assert "\n" not in str(caught.value)


def test_a_preset_restores_the_equalizer(tmp_path: Path) -> None:
    config = SessionConfig(equalizer=ReferenceEqualizer(gain_db=1.0, filters=(PEAK, OFF)))
    (tmp_path / "a.json").write_text(preset_text(config))
    assert make_session_config(**load_preset(tmp_path / "a.json")) == config
