"""Computes loss maps of the learned equalizer in a thread next to the GUI thread."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from rtgain.records.equalizer_loss import compute_loss_map

if TYPE_CHECKING:
    from rtgain.records.learned_equalizer import LearnedEqualizer


class LossMapWorker(QObject):
    """Computes one map at a time."""

    done = Signal(object)
    """A `LossMap`, or None without a measured band; emitted in the GUI thread."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._thread = ThreadPoolExecutor(1, "loss-map")
        self._running: Future[None] | None = None

    def request(self, learned: "LearnedEqualizer", sample_rate: int, x: int, y: int) -> None:
        """Compute a map over the parameters with the indices `x` and `y`; ignored while one is computed."""
        if self._running is not None:
            if not self._running.done():
                return
            self._running.result()  # raises what the thread has raised
        self._running = self._thread.submit(self._compute, learned, sample_rate, x, y)

    def close(self) -> None:
        """Wait for the present map, and end the thread."""
        self._thread.shutdown(wait=True)

    def _compute(self, learned: "LearnedEqualizer", sample_rate: int, x: int, y: int) -> None:
        self.done.emit(compute_loss_map(learned, sample_rate, x, y))
