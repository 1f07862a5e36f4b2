"""Drift between two inputs of a session."""

import numpy as np
import pytest
import soundfile

from rtgain.audio.sources.demo import DemoSource
from rtgain.config.session_config import make_session_config
from rtgain.session.offline import run_offline
from tests.match.drifting import with_clock

RATE = 16_000


@pytest.mark.parametrize("ppm", [0, 100])
def test_session_over_two_inputs_measures_the_drift_of_their_clocks(tmp_path, ppm):
    dry = DemoSource(RATE).read(10 * RATE)[0][:, None]
    target = 0.5 * with_clock(dry, ppm)[: len(dry) - 200]
    both = np.concatenate([dry[: len(target)], target], axis=1)
    soundfile.write(tmp_path / "both.wav", both, RATE, subtype="FLOAT")
    config = make_session_config(input=str(tmp_path / "both.wav"), target="channel", channels=1)
    summary = run_offline(config).summary
    assert summary.drift_ppm == pytest.approx(ppm, abs=5 if ppm else 0)
    assert summary.gain_db == pytest.approx(20 * np.log10(0.5), abs=0.01)
