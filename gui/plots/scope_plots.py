"""Plots of the newest window: spectra of dry, target and matched signal, and waveforms of target and matched.

In stereo the spectra are the highest of both channels, and the waveforms those of the louder channel.
"""

from typing import TYPE_CHECKING

import numpy as np

from gui.plots.axes import frequency_axis
from gui.plots.axis_range import SteppedPeak
from gui.plots.legend import Legend
from gui.plots.plot_card import Axis, PlotCard, Trace
from gui.theme import LIGHT
from rtgain.config.names import CHANNEL_NAMES
from rtgain.number_format import format_number
from rtgain.output.curve_styles import DRY, MATCHED, TARGET

if TYPE_CHECKING:
    from rtgain.records.snapshot import Snapshot

SHOWN_MS = 20.0
LOWEST_DBFS, HIGHEST_DBFS = -120.0, 0.0


class SpectrumPlot(PlotCard):
    """Magnitude spectra in dB re full scale over a logarithmic frequency axis."""

    def __init__(self) -> None:
        super().__init__(
            "Spectrum, dBFS",
            "Spectrum in dB re full scale: dry, target and matched",
            Legend([(DRY, DRY.label), (TARGET, TARGET.label), (MATCHED, MATCHED.label)]),
            x=frequency_axis(24_000.0),
            y=Axis(
                LOWEST_DBFS, HIGHEST_DBFS, [(level, format_number(level, 0)) for level in (-120.0, -80.0, -40.0, 0.0)]
            ),
        )
        self.curves = {"dry_db": self.add_line(DRY), "matched_db": self.add_line(MATCHED)}
        self.curves["target_db"] = self.add_line(TARGET)
        self.plot.setToolTip("Highest level of all channels at each frequency")
        self.show_theme(LIGHT)

    def show_snapshot(self, snapshot: "Snapshot") -> None:
        """Draw the spectra of the newest window."""
        scope = snapshot.scope
        if self.frozen or scope is None:
            return
        self.update_pen_widths()
        decades = np.log10(scope.frequency_hz)
        for field, item in self.curves.items():
            item.show_points(decades, np.maximum(getattr(scope, field).max(axis=0), LOWEST_DBFS))
        self.set_axes(frequency_axis(snapshot.sample_rate / 2), self._axes[1])


class WaveformPlot(PlotCard):
    """Target and matched signal, from an upward zero crossing of the target, so that the curves stand still."""

    def __init__(self) -> None:
        self._peak = SteppedPeak(0.5, lowest=1e-4)
        self._channel = 0
        super().__init__(
            "Waveform",
            "Waveform of target and matched, 20 milliseconds",
            Legend([(TARGET, TARGET.label), (MATCHED, MATCHED.label)]),
            x=Axis(0.0, SHOWN_MS, [(ms, f"{ms:.0f} ms") for ms in (0.0, 5.0, 10.0, 15.0, 20.0)]),
            y=_amplitude_axis(0.5),
        )
        self.curves = {"matched": self.add_line(MATCHED), "target": self.add_line(TARGET)}
        self.plot.setToolTip("In stereo: the louder channel, which the legend names")
        self.show_theme(LIGHT)

    def show_snapshot(self, snapshot: "Snapshot") -> None:
        """Draw the newest window."""
        scope = snapshot.scope
        if self.frozen or scope is None:
            return
        self.update_pen_widths()
        self._channel = louder_channel(scope.target, self._channel)
        suffix = f", {CHANNEL_NAMES[self._channel]}" if len(scope.target) > 1 else ""
        for index, curve in enumerate((TARGET, MATCHED)):
            self.legend.rename(index, curve.label + suffix)
        target = scope.target[self._channel]
        frames = min(round(SHOWN_MS * 1e-3 * snapshot.sample_rate), len(target))
        start = first_rise(target[: len(target) - frames])
        time_ms = 1e3 * np.arange(frames) / snapshot.sample_rate
        traces = {name: getattr(scope, name)[self._channel, start : start + frames] for name in self.curves}
        for name, item in self.curves.items():
            item.show_points(time_ms, traces[name])
        peak = max(float(np.abs(trace).max(initial=0.0)) for trace in traces.values())
        self.set_axes(self._axes[0], _amplitude_axis(self._peak.follow(1.05 * peak, snapshot.time_s)))


def louder_channel(signals: Trace, previous: int) -> int:
    """Return the channel of `signals`, shape (channels, frames), to show after `previous`.

    Another channel replaces it only if it is more than 6 dB louder, so that the plot does not alternate.
    """
    rms = np.sqrt(np.square(signals, dtype=np.float64).mean(axis=1))
    loudest = int(rms.argmax())
    return loudest if previous >= len(rms) or rms[loudest] > 2.0 * rms[previous] else previous


def first_rise(signal: Trace) -> int:
    """Return the first frame after an upward zero crossing of `signal`, shape (frames,); 0 if there is none."""
    rises = np.flatnonzero((signal[:-1] < 0) & (signal[1:] >= 0))
    return int(rises[0]) + 1 if rises.size else 0


def _amplitude_axis(peak: float) -> Axis:
    return Axis(
        -peak,
        peak,
        [(-peak, format_number(-peak, _digits(peak))), (0.0, "0"), (peak, format_number(peak, _digits(peak)))],
    )


def _digits(peak: float) -> int:
    return max(0, -int(np.floor(np.log10(peak))))
