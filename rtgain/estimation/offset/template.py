"""Search for a short recording by its samples in blocks of a longer one."""

import numpy as np

from rtgain.audio.sources.file_pair import compared_channels, select_channels
from rtgain.audio.sources.source import Block
from rtgain.dsp.delay_constants import WHITENING
from rtgain.estimation.offset.correlation import correlation_envelope, highest_peaks, taper
from rtgain.estimation.offset.levels import MAX_PEAKS, SEARCH_RATE

TEMPLATE_S = 16
"""Duration in seconds up to which a recording is searched by its samples."""

BLOCK_FRAMES = 1 << 18
"""Frames, at `SEARCH_RATE`, of a block in the search by samples: twice the longest template."""


class TemplateCorrelator:
    """Correlation of a short recording with consecutive blocks of another: generalized, summed over channels."""

    def __init__(self, template: Block, channels: int) -> None:
        self._channels = compared_channels(len(template), channels)
        self._frames = template.shape[1]
        self._spectrum = np.fft.rfft(select_channels(template, self._channels) * taper(self._frames), BLOCK_FRAMES)
        self._taper = taper(BLOCK_FRAMES)
        self._buffer = np.zeros((self._channels, self._frames), np.float32)
        self._start = -self._frames
        self._peaks: list[tuple[int, float]] = []

    def add(self, block: Block) -> None:
        """Add ``(channels, frames)`` of the longer recording."""
        self._buffer = np.concatenate([self._buffer, select_channels(block, self._channels)], axis=1)
        while self._buffer.shape[1] >= BLOCK_FRAMES:
            self._correlate(self._buffer[:, :BLOCK_FRAMES])
            self._buffer = self._buffer[:, BLOCK_FRAMES // 2 :]
            self._start += BLOCK_FRAMES // 2

    def finish(self) -> list[tuple[int, float]]:
        """Return the lags in frames of the longer recording, each with its score, best first."""
        self.add(np.zeros((self._channels, BLOCK_FRAMES), np.float32))
        return self._peaks

    def _correlate(self, block: Block) -> None:
        cross = self._spectrum.conj() * np.fft.rfft(block * self._taper)
        envelope = correlation_envelope(cross, BLOCK_FRAMES, WHITENING)[: BLOCK_FRAMES - self._frames + 1]
        rms = float(np.sqrt(np.mean(envelope**2)))
        if rms > 0.0:
            found = highest_peaks(envelope, MAX_PEAKS, exclusion=SEARCH_RATE // 200)
            self._keep_best([(self._start + lag, value / rms) for lag, value in found])

    def _keep_best(self, found: list[tuple[int, float]]) -> None:
        """Add peaks to the best ones; blocks overlap, and so a peak may be found twice."""
        best: list[tuple[int, float]] = []
        for lag, score in sorted([*self._peaks, *found], key=lambda peak: -peak[1]):
            if all(abs(lag - other) > 1 for other, _ in best):
                best.append((lag, score))
        self._peaks = best[:MAX_PEAKS]
