"""Equalizer of the reference path as an option: a gain and filters, each of which can be switched off."""

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from rtgain.config.names import FILTER_GAIN_RANGE_DB, FILTER_Q_RANGE, MAX_FILTERS, FilterKind

_GAIN_DB = Field(ge=FILTER_GAIN_RANGE_DB[0], le=FILTER_GAIN_RANGE_DB[1])


class ReferenceFilter(BaseModel):
    """One filter: its type, corner or center frequency in Hz, gain in dB, and Q; without effect if it is not `on`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    type: FilterKind
    frequency_hz: Annotated[float, Field(gt=0.0)]
    gain_db: Annotated[float, _GAIN_DB]
    q: Annotated[float, Field(ge=FILTER_Q_RANGE[0], le=FILTER_Q_RANGE[1])]
    on: bool = True


class ReferenceEqualizer(BaseModel):
    """Gain in dB, and filters in series."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    gain_db: Annotated[float, _GAIN_DB] = 0.0
    filters: Annotated[tuple[ReferenceFilter, ...], Field(max_length=MAX_FILTERS)] = ()


def _flat(kind: FilterKind, frequency_hz: float) -> ReferenceFilter:
    q = 1.0 if kind == "peak" else math.sqrt(0.5)
    return ReferenceFilter(type=kind, frequency_hz=frequency_hz, gain_db=0.0, q=q)


FLAT_EQUALIZER = ReferenceEqualizer(
    filters=(
        _flat("low_shelf", 100.0),
        _flat("peak", 250.0),
        _flat("peak", 800.0),
        _flat("peak", 2200.0),
        _flat("peak", 5500.0),
        _flat("high_shelf", 9000.0),
    )
)
"""Equalizer without effect: the filters at which the learned equalizer starts, each with 0 dB."""
