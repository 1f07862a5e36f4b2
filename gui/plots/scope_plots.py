"""What the newest window sounds like: the spectra of dry, target and matched signal, and two waveforms."""

from typing import TYPE_CHECKING

import numpy as np

from gui.plots.axis_range import SteppedPeak
from gui.plots.legend import Legend
from gui.plots.plot_card import Axis, PlotCard, Trace
from gui.theme import LIGHT
from rtgain.number_format import format_number
from rtgain.output.curve_styles import DRY, MATCHED, TARGET

if TYPE_CHECKING:
    from rtgain.records.snapshot import Snapshot

SHOWN_MS = 20.0
LOWEST_DBFS, HIGHEST_DBFS = -120.0, 0.0
DECADES = ((20.0, "20 Hz"), (100.0, "100"), (1e3, "1k"), (1e4, "10k"))


class SpectrumPlot(PlotCard):
    """Magnitudes in dB re full scale over a logarithmic frequency axis."""

    def __init__(self) -> None:
        super().__init__(
            "Spectrum, dBFS",
            "Spectrum in dB re full scale: dry, target and estimate",
            Legend([(DRY, DRY.label), (TARGET, TARGET.label), (MATCHED, MATCHED.label)]),
            x=_frequency_axis(24_000.0),
            y=Axis(
                LOWEST_DBFS, HIGHEST_DBFS, [(level, format_number(level, 0)) for level in (-120.0, -80.0, -40.0, 0.0)]
            ),
        )
        self.curves = {"dry_db": self.add_line(DRY), "matched_db": self.add_line(MATCHED)}
        self.curves["target_db"] = self.add_line(TARGET)
        self.show_theme(LIGHT)

    def show_snapshot(self, snapshot: "Snapshot") -> None:
        """Draw the spectra of the newest window."""
        scope = snapshot.scope
        if self.frozen or scope is None:
            return
        self.update_pen_widths()
        decades = np.log10(scope.frequency_hz)
        for field, item in self.curves.items():
            item.show_points(decades, np.maximum(getattr(scope, field), LOWEST_DBFS))
        self.set_axes(_frequency_axis(snapshot.sample_rate / 2), self._axes[1])


class WaveformPlot(PlotCard):
    """Target and matched signal, from where the target rises through zero, so that the picture stands."""

    def __init__(self) -> None:
        self._peak = SteppedPeak(0.5, lowest=1e-4)
        super().__init__(
            "Waveform",
            "Waveform of target and estimate, 20 milliseconds",
            Legend([(TARGET, TARGET.label), (MATCHED, MATCHED.label)]),
            x=Axis(0.0, SHOWN_MS, [(ms, f"{ms:.0f} ms") for ms in (0.0, 5.0, 10.0, 15.0, 20.0)]),
            y=_amplitude_axis(0.5),
        )
        self.curves = {"matched": self.add_line(MATCHED), "target": self.add_line(TARGET)}
        self.show_theme(LIGHT)

    def show_snapshot(self, snapshot: "Snapshot") -> None:
        """Draw the newest window."""
        scope = snapshot.scope
        if self.frozen or scope is None:
            return
        self.update_pen_widths()
        frames = min(round(SHOWN_MS * 1e-3 * snapshot.sample_rate), len(scope.target))
        start = first_rise(scope.target[: len(scope.target) - frames])
        time_ms = 1e3 * np.arange(frames) / snapshot.sample_rate
        shown = {name: getattr(scope, name)[start : start + frames] for name in self.curves}
        for name, item in self.curves.items():
            item.show_points(time_ms, shown[name])
        peak = max(float(np.abs(trace).max(initial=0.0)) for trace in shown.values())
        self.set_axes(self._axes[0], _amplitude_axis(self._peak.follow(1.05 * peak, snapshot.time_s)))


def first_rise(signal: Trace) -> int:
    """The first frame of `signal`, shape (frames,), from which it has risen to zero or above; 0 where it never does."""
    rises = np.flatnonzero((signal[:-1] < 0) & (signal[1:] >= 0))
    return int(rises[0]) + 1 if rises.size else 0


def _frequency_axis(nyquist_hz: float) -> Axis:
    return Axis(
        np.log10(20.0), np.log10(nyquist_hz), [(np.log10(hz), name) for hz, name in DECADES if hz < 0.9 * nyquist_hz]
    )


def _amplitude_axis(peak: float) -> Axis:
    return Axis(
        -peak,
        peak,
        [(-peak, format_number(-peak, _digits(peak))), (0.0, "0"), (peak, format_number(peak, _digits(peak)))],
    )


def _digits(peak: float) -> int:
    return max(0, -int(np.floor(np.log10(peak))))
