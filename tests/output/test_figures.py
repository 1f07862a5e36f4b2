"""Gain figure of ``--plot`` and of the GUI's export."""

from dataclasses import replace

import numpy as np
import pytest

from rtgain.config.session_config import SessionConfig
from rtgain.output.figures import gain_figure
from rtgain.records.history import History, Summary
from rtgain.session.offline import OfflineResult, run_offline
from tests.figure_checks import legend_overlaps_curve


def run(gain_db: float) -> OfflineResult:
    config = SessionConfig(input="sine", gain_db=gain_db, optimizer="SGD", lr=0.01, steps=1, duration=3.0)
    return run_offline(config)


@pytest.mark.parametrize("gain_db", [-20.0, 6.0])
def test_legend_of_the_gain_figure_covers_no_curve(gain_db: float) -> None:
    result = run(gain_db)
    assert not legend_overlaps_curve(gain_figure(result.history, result.summary))


def test_unknown_reference_has_no_legend_entry_and_no_error_axes() -> None:
    result = run(-20.0)
    unknown = replace(result.history, gain_true_db=np.full_like(result.history.gain_true_db, np.nan))
    figures = [gain_figure(history, result.summary) for history in (result.history, unknown)]
    names = [{text.get_text() for text in figure.legends[0].get_texts()} for figure in figures]
    assert names[0] - names[1] == {"reference"}
    assert [[axes.get_ylabel() for axes in figure.axes] for figure in figures] == [
        ["gain (dB)", "error (dB)"],
        ["gain (dB)"],
    ]
    assert figures[1].axes[0].get_xlabel() == "time (s)"


def test_axis_of_a_constant_gain_has_no_offset() -> None:
    result = run(-16.4781)
    steady = dict.fromkeys(("gain_est_db", "gain_opt_db"), result.history.gain_true_db)
    figure = gain_figure(
        replace(result.history, **steady, std_db=np.full_like(result.history.std_db, 1e-4)), result.summary
    )
    figure.canvas.draw()
    axis = figure.axes[0].yaxis
    assert axis.get_offset_text().get_text() == ""
    assert all(label.get_text().startswith("\N{MINUS SIGN}16.47") for label in axis.get_ticklabels())


def test_gap_breaks_the_estimate_curves_but_not_the_reference() -> None:
    time_s = np.r_[0.0:1.0:50j, 3.0:4.0:50j]
    summary = Summary(
        "0", "a file", "reference", 1, 48000, 4.0, "gain", "spectral", "Adam", -6.0, 0.5, 0.1, 0.0, 0.0, 1, "tracking",
        [-6.0], [1], None, None, None, 100, 192000, 0, 0, None, None,
    )  # fmt: skip
    gain, error = gain_figure(History(time_s, *[np.full(100, -6.0)] * 7, *[np.full((1, 100), -6.0)] * 2), summary).axes
    finite_in_gap = {
        line.get_label(): bool(np.isfinite(np.interp(2.0, line.get_xdata(), line.get_ydata()))) for line in gain.lines
    }
    assert finite_in_gap == {"estimate": False, "closed form": False, "reference": True}
    assert np.isnan(np.interp(2.0, error.lines[0].get_xdata(), error.lines[0].get_ydata()))
    band = gain.collections[0].get_paths()
    assert [(path.vertices[:, 0].min(), path.vertices[:, 0].max()) for path in band] == [(0.0, 1.0), (3.0, 4.0)]
