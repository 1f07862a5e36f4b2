"""`rtgain.estimate` and `rtgain.match` on arrays: results as set, nothing left after an interruption."""

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rtgain
import rtgain.match.pair
from rtgain.errors import InputError
from rtgain.session.session import Session

RATE = 16_000
DRY = rtgain.synthetic_speech(RATE, 2 * RATE)


def delayed(signal: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    return np.concatenate([np.zeros(frames, np.float32), signal[:-frames]])


@pytest.fixture(scope="module")
def matched() -> Any:
    return rtgain.match(DRY, -0.25 * delayed(DRY, 80), RATE)


def test_match_finds_gain_delay_and_polarity_of_arrays(matched: Any) -> None:
    assert matched.result.gain_db == pytest.approx(20 * np.log10(0.25), abs=0.002)
    assert matched.result.delay_samples == pytest.approx(80, abs=0.01)
    assert (matched.result.polarity, matched.result.state) == (-1, "tracking")


def test_a_notebook_displays_a_match_as_a_table_and_its_plot_as_a_picture(matched: Any) -> None:
    table = matched._repr_html_()
    assert "<th>delay</th><td>5.000 ms</td>" in table
    assert "<th>polarity</th><td>inverted</td>" in table
    assert matched.plot()._repr_png_().startswith(b"\x89PNG")


def test_estimate_follows_the_reference_path() -> None:
    dry, target = rtgain.render_reference(DRY, RATE, gain_db=-6.0)
    result = rtgain.estimate(dry, target, RATE, compare=("waveform/SGD@0.1",))
    tracking_db = result.history.gain_est_db[result.states == "tracking"]
    np.testing.assert_allclose(tracking_db, -6.0, atol=0.002)
    assert len(result.states) == len(result.history.time_s)
    assert list(result.comparisons) == ["waveform/SGD@0.1"]
    assert result._repr_png_().startswith(b"\x89PNG")


def test_estimate_compares_two_channels() -> None:
    dry = np.stack([DRY, DRY[::-1]])
    result = rtgain.estimate(dry, 0.5 * dry, RATE)
    assert result.history.channel_gains_db.shape == (2, len(result.history.time_s))
    np.testing.assert_allclose(result.history.channel_gains_db[:, -1], 20 * np.log10(0.5), atol=0.002)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rtgain.match(DRY.reshape(-1, 1), DRY, RATE), r"match: dry must have the shape \(frames,\)"),
        (lambda: rtgain.match(DRY, DRY * np.nan, RATE), "match: target contains NaN or infinity; replace"),
        (lambda: rtgain.estimate(DRY, DRY[:-1], RATE), "estimate: dry and target must have the same shape"),
        (lambda: rtgain.estimate(DRY + np.inf, DRY, RATE), "estimate: dry or target contains NaN or infinity"),
        (lambda: rtgain.estimate(DRY, DRY, RATE, loss="loud"), "loss"),
        (lambda: rtgain.render_reference(DRY.reshape(2, -1), RATE), r"render_reference: dry must have the shape"),
    ],
)
def test_wrong_arguments_raise_one_line(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        call()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("function", ["match", "estimate"])
def test_an_interrupted_cell_leaves_no_file_thread_or_shared_memory(
    function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell is interrupted by `KeyboardInterrupt`, here while the session runs."""

    def interrupt(session: Session) -> list[Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "advance", interrupt)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    threads = set(threading.enumerate())
    shared = set(Path("/dev/shm").glob("*"))
    with pytest.raises(KeyboardInterrupt):
        getattr(rtgain, function)(DRY, DRY, RATE)
    assert list(tmp_path.iterdir()) == []
    assert {path.name for path in set(Path("/dev/shm").glob("*")) - shared if "rtgain" in path.name} == set()
    assert set(threading.enumerate()) - threads == set()
