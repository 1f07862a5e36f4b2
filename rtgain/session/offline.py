"""Sessions that run on the offline clock from start to end, on a configured source or on samples in memory."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtgain.audio.engine.engine import Engine
from rtgain.config.session_config import SessionConfig, make_session_config
from rtgain.records.estimate import Estimate
from rtgain.records.history import History, Summary
from rtgain.records.snapshot import Comparison
from rtgain.session.session import Session


@dataclass(frozen=True)
class OfflineResult:
    """Results of a session that has run to its end; `comparisons` by their entries, with at most 20 s of history."""

    history: History
    comparisons: dict[str, Comparison]
    summary: Summary


def run_offline(
    config: SessionConfig,
    *,
    on_start: Callable[[Session], None] = lambda session: None,
    on_estimates: Callable[[Session, list[Estimate]], None] = lambda session, estimates: None,
) -> OfflineResult:
    """Run a session on the offline clock to the end of its source, or of its duration.

    `on_start` is called before the first frame. `on_estimates` receives each batch of estimates, in order.
    Raises `InputError` for a source or an automation that cannot be used.
    """
    with Session(config, clock="offline", keep_all_estimates=True) as session:
        session.start()
        on_start(session)
        while not session.is_finished:
            on_estimates(session, session.advance())
        on_estimates(session, session.drain())
        comparisons = {comparison.name: comparison for comparison in session.comparisons}
        return OfflineResult(session.history.latest(), comparisons, session.summary())


def estimate_samples(
    samples: NDArray[np.float32], sample_rate: int, *, automation: str | None = None, **options: Any
) -> list[Estimate]:
    """Return the estimates of an offline session whose dry signal is `samples` ``(frames,)``.

    `automation` is the text of a CSV of breakpoints, `options` are those of `SessionConfig`. Raises `InputError`.
    """
    with tempfile.TemporaryDirectory() as folder:
        dry = Path(folder) / "dry.wav"
        soundfile.write(dry, samples, sample_rate, subtype="FLOAT")
        if automation is not None:
            breakpoints = Path(folder) / "gain.csv"
            breakpoints.write_text(automation)
            options["automation"] = str(breakpoints)
        estimates: list[Estimate] = []
        config = make_session_config(input=str(dry), **options)
        run_offline(config, on_estimates=lambda session, batch: estimates.extend(batch))
        return estimates


def render_reference(
    samples: NDArray[np.float32], sample_rate: int, **options: Any
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return dry signal and target, ``(frames,)`` each, as the estimator receives them from `estimate_samples`."""
    config = make_session_config(**options)
    chunks = []
    with Engine(sample_rate, seed=config.seed) as engine:
        engine.reference.set(**config.reference_parameters())
        for start in range(0, len(samples), sample_rate):
            block = samples[start : start + sample_rate]
            engine.process(block[None], None, np.empty((len(block), 2), np.float32))
            signals = engine.memory.audio.read_signals(start, len(block))
            chunks.append(np.concatenate([signals.dry, signals.target]))
    dry, target = np.concatenate(chunks, axis=1)
    return dry, target
