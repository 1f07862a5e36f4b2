"""A real microphone session: a JACK client plays a recording into rtgain's input and records its output."""

import json
import signal

import numpy as np
import pytest

from rtgain.audio.sources.demo import DemoSource
from tests.commands import rows, start_rtgain
from tests.jack_client import first_lag
from tests.polling import TIMEOUT_S

pytestmark = pytest.mark.realtime

RATE = 48000
RTGAIN = "rtgain-.*"


@pytest.fixture(scope="module")
def recording() -> np.ndarray:
    """One second of silence, in which the stream starts, and four of music, (frames,) at 48 kHz."""
    return np.concatenate([np.zeros(RATE, np.float32), DemoSource(RATE).read(4 * RATE)[0]])


def test_microphone_gain_is_estimated_and_the_output_is_gain_times_input(jack_client, recording, tmp_path):
    table, summary = tmp_path / "t.csv", tmp_path / "s.json"
    process = start_rtgain(
        *("run", "--headless", "--input", "mic", "--clock", "device", "--gain-db", "-9.5", "--duration", "600"),
        *("--csv", table, "--json", summary),
    )
    played = jack_client.play_and_record(recording, into=RTGAIN, out_of=RTGAIN, seconds=6)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIMEOUT_S)

    assert process.returncode == 130, errors
    result = json.loads(summary.read_text())
    assert result["sample_rate"] == RATE
    assert result["gain_db"] == pytest.approx(-9.5, abs=0.05)
    assert any(row["state"] == "tracking" for row in rows(table))

    delay = first_lag(played, recording)
    output = played[delay : delay + len(recording)]
    expected = np.float32(10 ** (-9.5 / 20)) * recording[: len(output)]
    np.testing.assert_allclose(output, expected, atol=2e-7)
    assert np.abs(expected).max() > 0.1
