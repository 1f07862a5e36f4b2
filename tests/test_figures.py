"""The figure of ``--plot`` and of the window's export."""

import pytest

from rtgain.config import SessionConfig
from rtgain.figures import gain_figure
from rtgain.session import Session
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
