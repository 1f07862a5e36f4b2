"""The figure of ``--plot`` and of the window's export."""

import numpy as np
import pytest

from rtgain.config import SessionConfig
from rtgain.figures import gain_figure
from rtgain.session import Session
from rtgain.trace import History, Summary
from tests.legends import hides_a_curve


@pytest.mark.parametrize("gain_db", [-20.0, 6.0])
def test_no_legend_lies_over_a_curve(gain_db: float) -> None:
    config = SessionConfig(input="sine", gain_db=gain_db, optimizer="SGD", lr=0.01, steps=1, duration=3.0)
    with Session(config, clock="fast") as session:
        session.start()
        while not session.ended:
            session.advance()
        session.finish()
        report = session.report(config)
    assert not hides_a_curve(gain_figure(report.history, report.summary))


def test_the_figure_parts_the_estimates_where_some_were_left_out_and_not_the_reference() -> None:
    time_s = np.r_[0.0:1.0:50j, 3.0:4.0:50j]
    summary = Summary(
        "0", "a file", 48000, 4.0, "spectral", "Adam", -6.0, 0.5, 0.1, 0.0, 1, "tracking", None, None, 100, 192000, 0,
        0, None, None,
    )  # fmt: skip
    gain, error = gain_figure(History(time_s, *[np.full(100, -6.0)] * 7), summary).axes
    known_between = {
        line.get_label(): bool(np.isfinite(np.interp(2.0, line.get_xdata(), line.get_ydata()))) for line in gain.lines
    }
    assert known_between == {"estimate": False, "closed form": False, "reference": True}
    assert np.isnan(np.interp(2.0, error.lines[0].get_xdata(), error.lines[0].get_ydata()))
    band = gain.collections[0].get_paths()
    assert [(path.vertices[:, 0].min(), path.vertices[:, 0].max()) for path in band] == [(0.0, 1.0), (3.0, 4.0)]
