"""Sessions that run on the offline clock from start to end, on a configured source or on samples in memory."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from numpy.typing import ArrayLike, NDArray

from rtgain.audio.engine.engine import Engine
from rtgain.config.api_arguments import checked_sample_rate, sound_array
from rtgain.config.session_config import SessionConfig, make_session_config
from rtgain.errors import InputError
from rtgain.records.estimate import Estimate
from rtgain.records.history import History, Summary
from rtgain.records.snapshot import Comparison
from rtgain.session.session import Session
from rtgain.system.shutdown_signals import deferred_interrupt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_ARRAY_CHANNELS = 2
"""Number of channels that a session compares."""

ROUTING_OPTIONS = {"input", "target", "channels", "dry_channel", "target_channel"}
"""Session options that `estimate` sets itself."""


@dataclass(frozen=True)
class OfflineResult:
    """Results of a session that has run to its end; a notebook displays the gain over time.

    Attributes:
        history: estimates over time, ``(estimates,)``.
        states: state of each estimate, ``(estimates,)``.
        comparisons: by their entries, with at most 20 s of history.
        summary: numbers of the whole session.
    """

    history: History
    states: NDArray[np.str_]
    comparisons: dict[str, Comparison]
    summary: Summary

    def plot(self) -> "Figure":
        """Draw the gain over time; a notebook displays the figure."""
        from rtgain.output.figures import gain_figure

        return gain_figure(self.history, self.summary)

    def _repr_png_(self) -> bytes:
        from rtgain.output.figures import png

        return png(self.plot())


def run_offline(
    config: SessionConfig,
    *,
    on_start: Callable[[Session], None] = lambda session: None,
    on_estimates: Callable[[Session, list[Estimate]], None] = lambda session, estimates: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> OfflineResult:
    """Run a session on the offline clock to the end of its source, or of its duration, or until it is `cancelled`.

    `on_start` is called before the first frame. `on_estimates` receives each batch of estimates, in order.
    Raises `InputError` for a source or an automation that cannot be used.
    """
    states: list[str] = []
    with Session(config, clock="offline", keep_all_estimates=True) as session:
        session.start()
        on_start(session)
        while not (session.is_finished or cancelled()):
            batch = session.advance()
            states += [estimate.state.label for estimate in batch]
            on_estimates(session, batch)
        batch = session.drain()
        states += [estimate.state.label for estimate in batch]
        on_estimates(session, batch)
        comparisons = {comparison.name: comparison for comparison in session.comparisons}
        return OfflineResult(session.history.latest(), np.array(states), comparisons, session.summary())


def estimate(dry: ArrayLike, target: ArrayLike, sample_rate: int, **options: Any) -> OfflineResult:
    """Estimate the gain between two signals over time, as ``rtgain run`` does.

    Both have the same shape, ``(frames,)`` or ``(channels, frames)``, with full scale at ±1. `options` are those of
    the estimator (`SessionConfig`): loss, optimizer, lr, steps, window_ms, hop_ms, align, compare. The reference gain
    is unknown to the session. Raises `InputError`. An interruption (SIGINT) ends the session before it raises
    `KeyboardInterrupt`.
    """
    x, y = sound_array("estimate: dry", dry), sound_array("estimate: target", target)
    if x.shape != y.shape or len(x) > MAX_ARRAY_CHANNELS:
        raise InputError(
            "estimate: dry and target must have the same shape, (frames,) or (channels, frames) with one or two "
            f"channels, not {np.shape(dry)} and {np.shape(target)}"
        )
    sample_rate = checked_sample_rate("estimate", sample_rate)
    for name in ROUTING_OPTIONS & options.keys():
        raise InputError(f"estimate: {name!r} is not an option; the arrays are the input")
    channels = len(x)
    with deferred_interrupt() as interrupted, tempfile.TemporaryDirectory() as folder:
        both = Path(folder) / "both.wav"
        soundfile.write(both, np.concatenate([x, y]).T, sample_rate, subtype="FLOAT")
        config = make_session_config(
            input=str(both),
            target="channel",
            channels=channels,
            dry_channel=tuple(range(1, channels + 1)),
            target_channel=tuple(range(channels + 1, 2 * channels + 1)),
            **options,
        )
        result = run_offline(config, cancelled=interrupted)
    return replace(result, summary=replace(result.summary, input="dry and target"))  # the file exists no longer


def estimate_samples(
    samples: NDArray[np.float32], sample_rate: int, *, automation: str | None = None, **options: Any
) -> list[Estimate]:
    """Return the estimates of an offline session with the dry signal `samples`.

    `samples` has the shape ``(frames,)`` or ``(channels, frames)``. `automation` is the text of a CSV of
    breakpoints, `options` are those of `SessionConfig`. Raises `InputError`.
    """
    with tempfile.TemporaryDirectory() as folder:
        dry = Path(folder) / "dry.wav"
        soundfile.write(dry, samples.T, sample_rate, subtype="FLOAT")
        if automation is not None:
            breakpoints = Path(folder) / "gain.csv"
            breakpoints.write_text(automation)
            options["automation"] = str(breakpoints)
        estimates: list[Estimate] = []
        config = make_session_config(input=str(dry), **options)
        run_offline(config, on_estimates=lambda session, batch: estimates.extend(batch))
        return estimates


def render_reference(
    dry: ArrayLike, sample_rate: int, **options: Any
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return dry signal and target, ``(frames,)`` each, as the estimator receives them from `estimate_samples`.

    `dry` has the shape ``(frames,)``. `options` are those of the reference path and `seed` (`SessionConfig`):
    gain_db, polarity, phase_deg, delay_ms, noise_dbfs. Raises `InputError`.
    """
    channels = sound_array("render_reference: dry", dry)
    if len(channels) > 1:
        raise InputError(f"render_reference: dry must have the shape (frames,), not {channels.shape}")
    (samples,) = channels
    sample_rate = checked_sample_rate("render_reference", sample_rate)
    config = make_session_config(**options)
    chunks = []
    with Engine(sample_rate, seed=config.seed) as engine:
        engine.reference.set(**config.reference_parameters())
        for start in range(0, len(samples), sample_rate):
            block = samples[start : start + sample_rate]
            engine.process(block[None], None, np.empty((len(block), 2), np.float32))
            signals = engine.memory.audio.read_signals(start, len(block))
            chunks.append(np.concatenate([signals.dry, signals.target]))
    dry_samples, target = np.concatenate(chunks, axis=1)
    return dry_samples, target
