"""Reference path: computes the target from the dry signal, with the plug-in interface prepare, process, reset.

    target = noise + delay(equalizer(gain · polarity · phase rotation(dry)))

Parameters are set by name at any time, also while another thread processes. Changes are free of clicks: gain and
polarity ramp over 10 ms (a polarity change passes through zero), the filters of the equalizer ramp over 20 ms, phase
and delay crossfade over 20 ms. The equalizer's own gain is part of the reference gain.

The phase rotation is *relative to the dry signal*. While the phase is not 0, the dry output is the `in_phase` output
of an all-pass pair and the target is a mix of both outputs. The angle between dry and target is then exact at every
frequency, and neither is delayed relative to the other. At 0 both are the input, bit for bit.

All channels share the parameters and the gain curve. Their noise is independent.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.effects.equalizer import EQUALIZER_PARAMETERS, publish_coefficients
from rtgain.audio.effects.reference_kernel import (
    BREAKPOINT,
    END_SENTINEL_FRAME,
    REFERENCE_PARAMETERS,
    REFERENCE_PATH,
    init_reference_path,
    process_reference,
)
from rtgain.audio.jit import store_counter
from rtgain.config.names import DEFAULT_GAIN_DB, GAIN_RANGE_DB, MAX_DELAY_S, NOISE_RANGE_DBFS, PHASE_RANGE_DEG
from rtgain.records.equalizer import EqualizerFilters


@dataclass(frozen=True)
class Parameter:
    """Unit, range (both ends included) and default of one parameter."""

    unit: str
    minimum: float
    maximum: float
    default: float


PARAMETERS = {
    "gain_db": Parameter("dB", *GAIN_RANGE_DB, DEFAULT_GAIN_DB),
    "polarity": Parameter("±1", -1.0, 1.0, 1.0),
    "phase_deg": Parameter("°", *PHASE_RANGE_DEG, 0.0),
    "delay_ms": Parameter("ms", 0.0, 1000.0 * MAX_DELAY_S, 0.0),
    "noise_dbfs": Parameter("dBFS RMS", -math.inf, NOISE_RANGE_DBFS[1], -math.inf),
}


class ReferencePath:
    """Reference path of `channels` channels, over the memory `state` (one element of `REFERENCE_PATH`) or its own.

    Call `prepare` first. `process` is for offline use and tests. In an engine the compiled kernel calls
    `process_reference_block` on the same memory.
    """

    def __init__(self, *, channels: int = 1, seed: int = 0, state: NDArray[np.void] | None = None) -> None:
        self._channels = channels
        self._state = np.zeros(1, REFERENCE_PATH) if state is None else state
        self._state["seed"] = seed
        self._equalizer = np.zeros(1, EQUALIZER_PARAMETERS)
        self._state["parameters"]["equalizer"] = self._equalizer.ctypes.data
        self._state["parameters"]["equalizer_gain"] = 1.0
        self._values = {name: parameter.default for name, parameter in PARAMETERS.items()}
        self._tables: list[NDArray[np.void]] = []  # every table, because a block may still read an old one
        self._frame = 0
        self._sample_rate = 0

    def prepare(self, sample_rate: int) -> None:
        """Prepare for audio at `sample_rate` Hz: design the filters, allocate the delay lines and `reset`."""
        self._sample_rate = sample_rate
        self.reset()
        self.set()

    def reset(self) -> None:
        """Clear all signal state and restart at frame 0. Parameters and automation are preserved."""
        self._lines = init_reference_path(self._state, self._sample_rate, self._channels)
        self._frame = 0

    @property
    def values(self) -> dict[str, float]:
        """Current parameters by name."""
        return dict(self._values)

    def set(self, **values: float | None) -> None:
        """Set parameters by name (`PARAMETERS`); None leaves a parameter unchanged.

        `polarity` is 1 or −1. A `noise_dbfs` of −inf disables the noise.

        Raises `ValueError` for an unknown name or a value outside its range.
        """
        for name, value in values.items():
            if name not in PARAMETERS:
                raise ValueError(f"{name!r} is not one of {', '.join(PARAMETERS)}")
            parameter = PARAMETERS[name]
            if value is not None and not parameter.minimum <= value <= parameter.maximum:
                span = f"{parameter.minimum:g} to {parameter.maximum:g} {parameter.unit}"
                raise ValueError(f"{name} must be {span}, not {value:g}")
        if values.get("polarity") not in (None, 1, -1):
            raise ValueError(f"polarity must be 1 or -1, not {values['polarity']}")
        self._values.update({name: value for name, value in values.items() if value is not None})
        current, parameters = self._values, self._state["parameters"]
        parameters["gain"] = current["polarity"] * 10.0 ** (current["gain_db"] / 20.0)
        parameters["phase_rad"] = math.radians(current["phase_deg"])
        parameters["delay_frames"] = current["delay_ms"] * self._sample_rate / 1000.0
        parameters["noise_rms"] = 10.0 ** (current["noise_dbfs"] / 20.0)

    def set_equalizer(self, equalizer: EqualizerFilters) -> None:
        """Replace the equalizer; one without filters has no effect on the bits of the target.

        Raises `InputError` for filters that do not suit the sample rate.
        """
        publish_coefficients(self._equalizer.ctypes.data, equalizer.coefficients(self._sample_rate))
        self._state["parameters"]["equalizer_gain"] = 10.0 ** (equalizer.gain_db / 20.0)

    def set_automation(self, frames: NDArray[np.int64] | None, gain_db: NDArray[np.float64] | None = None) -> None:
        """Automate the gain with breakpoints instead of `gain_db`; None ends the automation.

        The gain is linear in dB between breakpoints. Two breakpoints at one frame are a step at exactly that frame.
        Before the first and after the last breakpoint the gain is constant. `polarity` still applies.

        Raises `ValueError` if the arrays have different lengths, are empty, or `frames` decreases.
        """
        if frames is None or gain_db is None:
            store_counter(self._automation_address, 0)
            return
        if len(frames) == 0 or len(frames) != len(gain_db):
            raise ValueError(f"automation of {len(frames)} frames and {len(gain_db)} gains; give one gain per frame")
        if np.any(np.diff(frames) < 0):
            raise ValueError("automation must not run backwards in time")
        table = np.empty(len(frames) + 2, BREAKPOINT)
        table["frame"] = np.concatenate(([-END_SENTINEL_FRAME], frames, [END_SENTINEL_FRAME]))
        table["gain_db"] = np.concatenate((gain_db[:1], gain_db, gain_db[-1:]))
        self._tables.append(table)
        store_counter(self._automation_address, table.ctypes.data)

    @property
    def _automation_address(self) -> int:
        offset = REFERENCE_PARAMETERS.fields["automation"][1]  # type: ignore[index]
        return self._state["parameters"].ctypes.data + int(offset)

    def process(self, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Process the next frames `x`, shape (channels, frames).

        Returns dry and target, each of that shape, and |gain| (linear), shape (frames,).
        """
        x = np.ascontiguousarray(x, np.float32)
        dry, target, gain = np.empty_like(x), np.empty_like(x), np.empty(x.shape[1], np.float32)
        process_reference(self._state.ctypes.data, self._frame, x, dry, target, gain)
        self._frame += x.shape[1]
        return dry, target, gain
