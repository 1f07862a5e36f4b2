"""Equalizer of the reference path: from the options of a session to filters, and back."""

from pathlib import Path

from rtgain.config.reference_equalizer import FLAT_EQUALIZER, ReferenceEqualizer, ReferenceFilter
from rtgain.config.session_config import SessionConfig
from rtgain.errors import InputError
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters
from rtgain.records.equalizer_text import read_equalizer


def reference_equalizer(config: SessionConfig) -> ReferenceEqualizer:
    """Return the equalizer of a session: that of the file `eq`, or `equalizer`, or flat filters.

    Raises `InputError` for the file.
    """
    if config.eq is not None:
        return to_option(read_equalizer(Path(config.eq)))
    return config.equalizer or FLAT_EQUALIZER


def reference_filters(config: SessionConfig, sample_rate: int) -> EqualizerFilters:
    """Return the filters of a session at `sample_rate` Hz.

    Raises `InputError` for the file, and for filters that do not suit the sample rate.
    """
    if config.eq is not None:
        equalizer, name = read_equalizer(Path(config.eq)), config.eq
    else:
        equalizer, name = to_filters(config.equalizer or FLAT_EQUALIZER), "equalizer"
    try:
        equalizer.coefficients(sample_rate)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    return equalizer


def to_filters(option: ReferenceEqualizer) -> EqualizerFilters:
    """Return the filters of the option `equalizer`; one that is off has 0 dB."""
    filters = (
        EqualizerFilter(item.type, item.frequency_hz, item.gain_db if item.on else 0.0, item.q)
        for item in option.filters
    )
    return EqualizerFilters(option.gain_db, tuple(filters))


def to_option(equalizer: EqualizerFilters) -> ReferenceEqualizer:
    """Return an equalizer as the option `equalizer`."""
    filters = (
        ReferenceFilter(type=item.kind, frequency_hz=item.frequency_hz, gain_db=item.gain_db, q=item.q)
        for item in equalizer.filters
    )
    return ReferenceEqualizer(gain_db=equalizer.gain_db, filters=tuple(filters))
