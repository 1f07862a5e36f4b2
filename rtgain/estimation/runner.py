"""Estimator runners: the protocol, and the runner in the calling process."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.engine.ring_buffer import OverrunError, RingBuffer
from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.estimation.process.worker_process import publish_matched_gain
from rtgain.records.estimate import Estimate
from rtgain.records.loss_curves import LossCurves


class EstimatorRunner(Protocol):
    """What a session needs of either: estimates in order, and a few commands. Used by one thread."""

    @property
    def restarts(self) -> int:
        """How often the process was started again."""

    @property
    def dropped_frames(self) -> int:
        """Frames that were overwritten before they could be analysed."""

    def start(self) -> None:
        """Begin. Returns at once; estimates come when they come."""

    def wait_until_ready(self, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Return when estimates will follow the audio without delay, or when it is `cancelled`."""

    def poll(self) -> list[Estimate]:
        """The estimates made since the last call."""

    def poll_comparisons(self) -> list[tuple[str, Estimate]]:
        """The estimates of those in the race since the last call, each with its entry."""

    def enable_diagnostics(self) -> None:
        """Have loss against gain drawn, and loudness measured, from now on. Idempotent."""

    def curves(self) -> LossCurves | None:
        """The newest loss against gain; None before there is any, or when nobody watches."""

    def notices(self) -> list[str]:
        """What the user should know, said once."""

    def configure(self, settings: EstimatorSettings) -> None:
        """Go on with other settings."""

    def reset(self, gain_db: float) -> None:
        """Forget everything and start again from `gain_db`."""

    def freeze(self, on: bool) -> None:
        """Hold the estimate, or let it go."""

    def finish(self, limit_frame: int) -> list[Estimate]:
        """The estimates left up to frame `limit_frame`. Nothing comes after that."""

    def stop(self) -> None:
        """End it, and free what it holds. Idempotent."""


def _new_rows(ring: RingBuffer, taken: int) -> tuple[NDArray[np.float64], int]:
    """What was written behind the first `taken` rows and is still there, ``(n, rows)``, and how many are taken then."""
    while True:
        written = ring.frames_written
        try:
            return ring.read(taken, written - taken).astype(np.float64).T, written
        except OverrunError as overtaken:
            taken = overtaken.oldest_frame


class InProcessRunner:
    """Runs the estimator in the calling process, in step with the audio: lossless and repeatable."""

    restarts = 0

    def __init__(self, memory: EngineSharedMemory, settings: EstimatorSettings) -> None:
        from rtgain.estimation.estimator import Estimator
        from rtgain.estimation.loss_curve_sampler import LossCurveSampler
        from rtgain.estimation.signal_reader import RingSignalReader
        from rtgain.estimation.streaming import StreamingEstimator

        self._memory = memory
        self._landscape = LossCurveSampler()
        self._sound = RingSignalReader(memory.audio, memory.control)
        self._follower = StreamingEstimator(self._sound, Estimator(settings))

    @property
    def dropped_frames(self) -> int:
        return self._follower.dropped_frames

    def start(self) -> None:
        import torch

        torch.set_num_threads(1)
        self._follower.estimator.warm_up()

    def wait_until_ready(self, cancelled: Callable[[], bool] = lambda: False) -> None:
        return

    def poll(self) -> list[Estimate]:
        estimates: list[Estimate] = []
        while batch := self._follower.advance():
            estimates += batch
        if estimates:
            publish_matched_gain(self._memory, estimates[-1])
        return estimates

    def poll_comparisons(self) -> list[tuple[str, Estimate]]:
        return self._follower.poll_comparisons()

    def enable_diagnostics(self) -> None:
        """Curves are drawn when they are asked for; loudness is not measured on a clock that nobody listens to."""

    def curves(self) -> LossCurves | None:
        return self._landscape.draw(self._follower.estimator)

    def notices(self) -> list[str]:
        return []

    def configure(self, settings: EstimatorSettings) -> None:
        self._follower.configure(settings)

    def reset(self, gain_db: float) -> None:
        self._follower.reset(gain_db)

    def freeze(self, on: bool) -> None:
        self._follower.freeze(on)

    def finish(self, limit_frame: int) -> list[Estimate]:
        self._sound.limit_frame = limit_frame
        return self.poll()

    def stop(self) -> None:
        return
