"""`rtgain.estimate` and `rtgain.match` on arrays: results as set, nothing left after an interruption."""

import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rtgain
from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.errors import InputError
from rtgain.session import session as session_module
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


def test_a_notebook_displays_a_match_as_sentence_and_table_and_its_plot_as_a_picture(matched: Any) -> None:
    table = matched._repr_html_()
    assert table.startswith("<p>The target is 12.04 dB softer")
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
    assert result.plot().axes[0].get_title(loc="left").startswith("dry and target: ")


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
        (lambda: rtgain.match([[0.0, 1.0], [0.0]], DRY, RATE), "match: dry cannot be converted to an array: "),
        (
            lambda: rtgain.match("dry.wav", DRY, RATE),
            "match: dry must be an array of real numbers, not of the type <U7",
        ),
        (lambda: rtgain.match(DRY * 1j, DRY, RATE), "match: dry must be an array of real numbers, not .* complex"),
        (lambda: rtgain.match(np.int16([0, 300]), DRY, RATE), "match: dry has integer samples from 0 to 300; divide"),
        (lambda: rtgain.match(DRY, np.float64(DRY) * 1e300, RATE), "match: target exceeds single precision; scale it"),
        (lambda: rtgain.match(DRY, DRY[:300], RATE), "^match: dry, target: their common part has 300 frames; at least"),
        (lambda: rtgain.match(DRY, DRY, 0), "match: sample_rate must be a whole number of 4000 to 768000 Hz, not 0"),
        (lambda: rtgain.match(DRY, DRY, "8000"), "match: sample_rate must be a whole number of .*, not '8000'"),
        (lambda: rtgain.estimate(DRY, DRY, 8000.5), r"estimate: sample_rate must be a whole number of .*, not 8000\.5"),
        (lambda: rtgain.estimate(DRY, DRY, RATE, input="demo"), "estimate: 'input' is not an option; the arrays are"),
        (lambda: rtgain.estimate(DRY + np.inf, DRY, RATE), "estimate: dry contains NaN or infinity"),
        (lambda: rtgain.estimate(DRY, DRY, RATE, loss="loud"), "loss"),
        (lambda: rtgain.render_reference(DRY.reshape(2, -1), RATE), r"render_reference: dry must have the shape"),
        (lambda: rtgain.render_reference(DRY * np.nan, RATE), "render_reference: dry contains NaN or infinity"),
        (lambda: rtgain.render_reference(DRY, -1), "render_reference: sample_rate must be a whole number of"),
    ],
)
def test_wrong_arguments_raise_one_line(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        call()
    assert "\n" not in str(raised.value)


def test_a_whole_sample_rate_may_have_another_number_type() -> None:
    result = rtgain.estimate(DRY[:RATE], DRY[:RATE], float(RATE))
    assert result.summary.sample_rate == RATE


@pytest.mark.parametrize("function", ["match", "estimate"])
@pytest.mark.parametrize("moment", ["make_engine", "advance"])
def test_an_interrupted_cell_leaves_no_file_thread_or_shared_memory(
    function: str, moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel interrupts a cell with SIGINT: while a session is made, and while it runs."""
    owner = session_module if moment == "make_engine" else Session
    interrupted, create = getattr(owner, moment), EngineSharedMemory.create
    blocks: list[str] = []

    def interrupt(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return interrupted(*arguments)

    def record(*arguments: Any) -> EngineSharedMemory:
        memory = create(*arguments)
        blocks.append(memory.name)
        return memory

    monkeypatch.setattr(owner, moment, interrupt)
    monkeypatch.setattr(EngineSharedMemory, "create", record)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    threads, handler = set(threading.enumerate()), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        getattr(rtgain, function)(DRY, 0.5 * DRY, RATE)
    assert list(tmp_path.iterdir()) == []
    (block,) = blocks
    with pytest.raises(FileNotFoundError):
        EngineSharedMemory.attach(block)
    assert set(threading.enumerate()) - threads == set()
    assert signal.getsignal(signal.SIGINT) is handler
