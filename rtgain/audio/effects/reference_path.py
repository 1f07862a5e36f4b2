"""The reference path: what makes the target out of the dry signal. A plug-in: prepare, process, reset.

    target = noise + delay(gain · polarity · phase rotation(dry))

Parameters are set by name, at any time, also while another thread processes. None of them clicks:
gain and polarity glide over 10 ms (a flip passes through zero), phase and delay crossfade over
20 ms. `bypass` is every parameter at its neutral value, so it does not click either.

The phase rotation turns the target *against the dry signal*: as long as the phase is not 0 the dry
signal is passed on through the one all-pass filter (`lag`) and the target is made from both, so the
angle between them is exact at every frequency and neither is late. At 0 both are the input, bit for bit.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.effects.delay_line import DELAY_LINE_MAX_S
from rtgain.audio.effects.reference_kernel import BREAKPOINT, FAR, PATH, SETTINGS, prepare_path, process_path
from rtgain.audio.jit import store_counter


@dataclass(frozen=True)
class Parameter:
    """A number that the user sets: its unit, its range (both ends included) and its default."""

    unit: str
    minimum: float
    maximum: float
    default: float


PARAMETERS = {
    "gain_db": Parameter("dB", -120.0, 60.0, 20.0 * math.log10(0.15)),
    "polarity": Parameter("±1", -1.0, 1.0, 1.0),
    "phase_deg": Parameter("°", -360.0, 360.0, 0.0),
    "delay_ms": Parameter("ms", 0.0, 1000.0 * DELAY_LINE_MAX_S, 0.0),
    "noise_dbfs": Parameter("dBFS RMS", -math.inf, 0.0, -math.inf),
}


class ReferencePath:
    """The reference path as an object, over the memory `state` (one element of dtype `PATH`) or its own.

    Call `prepare` first. `process` is for offline use and tests: in an engine the compiled kernel runs
    `process_reference_block` on the same memory.
    """

    latency_frames = 0
    """The target is not late against the dry signal that `process` gives back."""

    def __init__(self, *, seed: int = 0, state: NDArray[np.void] | None = None) -> None:
        self._state = np.zeros(1, PATH) if state is None else state
        self._state["seed"] = seed
        self._values = {name: parameter.default for name, parameter in PARAMETERS.items()}
        self._tables: list[NDArray[np.void]] = []  # all that were ever set: a block may still be reading one
        self._frame = 0
        self._sample_rate = 0

    def prepare(self, sample_rate: int) -> None:
        """Get ready for audio at `sample_rate` Hz: design the filters, allocate the delay line, `reset`."""
        self._sample_rate = sample_rate
        self.reset()
        self.set()

    def reset(self) -> None:
        """Forget the signal and start again at frame 0; parameters and automation stay."""
        self._line = prepare_path(self._state, self._sample_rate)
        self._frame = 0

    @property
    def values(self) -> dict[str, float]:
        """The parameters as they are set now, by name."""
        return dict(self._values)

    def set(self, **values: float | None) -> None:
        """Set parameters by name; None leaves one as it is.

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
        now, settings = self._values, self._state["settings"]
        settings["gain"] = now["polarity"] * 10.0 ** (now["gain_db"] / 20.0)
        settings["phase_rad"] = math.radians(now["phase_deg"])
        settings["delay_frames"] = now["delay_ms"] * self._sample_rate / 1000.0
        settings["noise_rms"] = 10.0 ** (now["noise_dbfs"] / 20.0)

    def set_automation(self, frames: NDArray[np.int64] | None, gain_db: NDArray[np.float64] | None = None) -> None:
        """Let the gain follow breakpoints instead of `gain_db`, or follow that again when None.

        Linear in dB between breakpoints; two at one frame are a step at exactly that frame; the first
        holds before it and the last after it. `polarity` still counts. Raises `ValueError` when the
        arrays (same length, at least one breakpoint) do not fit or the frames run backwards.
        """
        if frames is None or gain_db is None:
            store_counter(self._automation_address, 0)
            return
        if len(frames) == 0 or len(frames) != len(gain_db):
            raise ValueError(f"automation of {len(frames)} frames and {len(gain_db)} gains; give one gain a frame")
        if np.any(np.diff(frames) < 0):
            raise ValueError("automation must not run backwards in time")
        table = np.empty(len(frames) + 2, BREAKPOINT)
        table["frame"] = np.concatenate(([-FAR], frames, [FAR]))
        table["gain_db"] = np.concatenate((gain_db[:1], gain_db, gain_db[-1:]))
        self._tables.append(table)
        store_counter(self._automation_address, table.ctypes.data)

    @property
    def _automation_address(self) -> int:
        offset = SETTINGS.fields["automation"][1]  # type: ignore[index]
        return self._state["settings"].ctypes.data + int(offset)

    @property
    def bypass(self) -> bool:
        """Whether the target is the dry signal itself."""
        return bool(self._state["settings"]["bypass"][0])

    @bypass.setter
    def bypass(self, bypass: bool) -> None:
        self._state["settings"]["bypass"] = bypass

    def process(self, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Process the next frames `x`, shape (frames,): dry, target and |gain| (linear), of that shape."""
        rows = np.empty((3, len(x)), np.float32)
        process_path(self._state.ctypes.data, self._frame, np.ascontiguousarray(x, np.float32), rows)
        self._frame += len(x)
        return rows[0], rows[1], rows[2]
