"""Early start of the estimator's process."""

import pytest

from rtgain.config.session_config import SessionConfig
from rtgain.estimation.process.fork_server import ESTIMATOR_SERVER
from rtgain.session.startup import load_estimator


@pytest.mark.parametrize(
    ("options", "headless", "loads"),
    [
        ({}, False, 1),
        ({"clock": "timer"}, True, 1),
        ({"input": "mic"}, True, 1),
        ({}, True, 0),
        ({"clock": "offline"}, False, 0),
    ],
)
def test_the_estimator_loads_early_only_on_live_clocks(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, str], headless: bool, loads: int
) -> None:
    calls: list[None] = []
    monkeypatch.setattr(ESTIMATOR_SERVER, "load", lambda: calls.append(None))
    load_estimator(SessionConfig.model_validate(options), headless=headless)
    assert len(calls) == loads
