"""Estimator runners: the protocol, and the runner in the calling process."""

from collections.abc import Callable
from typing import Protocol

from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.estimation.matched_gain import MatchedSignalPublisher
from rtgain.records.estimate import Estimate
from rtgain.records.learned_equalizer import LearnedEqualizer
from rtgain.records.loss_curves import LossCurves
from rtgain.records.response import Response


class EstimatorRunner(Protocol):
    """Runs an estimator for a session: estimates in order, and commands. Used by one thread."""

    @property
    def restarts(self) -> int:
        """Number of restarts of the process."""

    @property
    def dropped_frames(self) -> int:
        """Frames that were overwritten before they could be analyzed."""

    def start(self) -> None:
        """Start, without waiting for the estimator."""

    def wait_until_ready(self, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Wait until estimates follow the audio without delay, or until `cancelled`."""

    def poll(self) -> list[Estimate]:
        """Return the estimates made since the last call."""

    def poll_comparisons(self) -> list[tuple[str, Estimate]]:
        """Return the comparisons' estimates since the last call, each with its entry."""

    def poll_equalizers(self) -> list[LearnedEqualizer]:
        """Return what has been learned of the filters since the last call, in order."""

    def enable_diagnostics(self) -> None:
        """Enable loss curves and loudness measurement from now on. Idempotent."""

    def curves(self) -> LossCurves | None:
        """Return the newest loss curves; None before the first ones, or without diagnostics."""

    def response(self) -> Response | None:
        """Return the response over the last two seconds; None before any sound, or without diagnostics."""

    def notices(self) -> list[str]:
        """Return the notices for the user since the last call."""

    def configure(self, settings: EstimatorSettings) -> None:
        """Continue with other settings."""

    def reset(self, gain_db: float) -> None:
        """Reset the estimate; the next descent starts from `gain_db`."""

    def start_target(self, settings: EstimatorSettings, gain_db: float) -> None:
        """Estimate another target from the next frame on, at the delay of `settings`, starting from `gain_db`."""

    def set_frozen(self, frozen: bool) -> None:
        """Freeze the estimate, or release it."""

    def finish(self, limit_frame: int) -> list[Estimate]:
        """Return the remaining estimates up to frame `limit_frame`. There are none after that."""

    def stop(self) -> None:
        """Stop, and free all resources. Idempotent."""


class InProcessRunner:
    """Runs the estimator in the calling process, in step with the audio: lossless and repeatable."""

    restarts = 0

    def __init__(self, memory: EngineSharedMemory, settings: EstimatorSettings) -> None:
        from rtgain.estimation.estimator import Estimator
        from rtgain.estimation.loss_curve_sampler import LossCurveSampler
        from rtgain.estimation.signal_reader import RingSignalReader
        from rtgain.estimation.streaming import StreamingEstimator

        self._publisher = MatchedSignalPublisher(memory.control)
        self._curve_sampler = LossCurveSampler()
        self._reader = RingSignalReader(memory.audio, memory.control)
        self._streaming = StreamingEstimator(self._reader, Estimator(settings), delay_frames=settings.delay_frames)

    @property
    def dropped_frames(self) -> int:
        return self._streaming.dropped_frames

    def start(self) -> None:
        import torch

        torch.set_num_threads(1)
        self._streaming.estimator.warm_up()

    def wait_until_ready(self, cancelled: Callable[[], bool] = lambda: False) -> None:
        return

    def poll(self) -> list[Estimate]:
        estimates: list[Estimate] = []
        while batch := self._streaming.advance():
            estimates += batch
        if estimates:
            self._publisher.publish(estimates[-1], self._streaming.equalizer)
        return estimates

    def poll_comparisons(self) -> list[tuple[str, Estimate]]:
        return self._streaming.poll_comparisons()

    def poll_equalizers(self) -> list[LearnedEqualizer]:
        return self._streaming.poll_equalizers()

    def enable_diagnostics(self) -> None:
        """Average the response. Curves are sampled on request; loudness is measured on the live clocks only."""
        self._streaming.estimator.enable_response()

    def curves(self) -> LossCurves | None:
        return self._curve_sampler.sample(self._streaming.estimator)

    def response(self) -> Response | None:
        return self._streaming.estimator.response

    def notices(self) -> list[str]:
        return []

    def configure(self, settings: EstimatorSettings) -> None:
        self._streaming.configure(settings)

    def reset(self, gain_db: float) -> None:
        self._streaming.reset(gain_db)

    def start_target(self, settings: EstimatorSettings, gain_db: float) -> None:
        self._streaming.start_target(settings, gain_db)

    def set_frozen(self, frozen: bool) -> None:
        self._streaming.set_frozen(frozen)

    def finish(self, limit_frame: int) -> list[Estimate]:
        self._reader.limit_frame = limit_frame
        return self.poll()

    def stop(self) -> None:
        return
