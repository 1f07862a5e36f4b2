"""Synthetic sources: sine and pink noise."""

import math
from abc import abstractmethod
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.sources.source import Block, BlockwiseSource
from rtgain.config.api_arguments import checked_count, checked_sample_rate


class SyntheticSource(BlockwiseSource):
    """Endless source whose blocks of `block_frames` frames are functions of the block number."""

    def __init__(self, sample_rate: int, channels: int, block_frames: int) -> None:
        super().__init__(sample_rate, channels, frames=None)
        self._block_frames = block_frames
        self._block = 0

    @abstractmethod
    def _render(self, block: int) -> Block:
        """Compute the samples of block number `block`, shape (channels, block_frames)."""

    def _next(self) -> Block:
        self._block += 1
        return self._render(self._block - 1)

    def _seek(self, frame: int) -> int:
        self._block, surplus = divmod(frame, self._block_frames)
        return surplus


class SineSource(SyntheticSource):
    """Sine of `hz` Hz and peak `amplitude`, the same on all channels.

    Its phase is computed from the frame number, not accumulated.
    """

    def __init__(self, sample_rate: int, channels: int = 1, *, hz: float = 600.0, amplitude: float = 0.5) -> None:
        super().__init__(sample_rate, channels, block_frames=4096)
        self._cycles_per_frame = Fraction(hz) / sample_rate
        self._amplitude = amplitude
        self._cycles = np.arange(self._block_frames) * float(self._cycles_per_frame)

    def _render(self, block: int) -> Block:
        start = float(block * self._block_frames * self._cycles_per_frame % 1)
        samples: NDArray[np.float64] = self._amplitude * np.sin(2 * np.pi * (start + self._cycles))
        return np.broadcast_to(samples.astype(np.float32), (self.channels, self._block_frames))


class PinkSource(SyntheticSource):
    """Gaussian pink noise with RMS `rms`, independent on each channel: −3 dB per octave from 10 Hz to half the rate.

    The white noise of each block depends only on its number and `seed`. A linear-phase FIR filter of more than a
    second (overlap-save) makes it pink, so any block can be computed on its own.
    """

    CORNER_HZ = 10.0
    """Below this frequency the spectrum is flat; otherwise most of the power would be below 10 Hz."""

    MAX_FILTER_FRAMES = 2**18
    """Maximum length of the filter: a second up to 262 kHz, a third of a second at the highest rate."""

    def __init__(self, sample_rate: int, channels: int = 1, *, seed: int = 0, rms: float = 0.1) -> None:
        block_frames = min(2 ** math.ceil(math.log2(sample_rate)), self.MAX_FILTER_FRAMES)
        super().__init__(sample_rate, channels, block_frames)
        self._seed = seed
        frames = 2 * self._block_frames
        hz = np.fft.rfftfreq(frames, 1 / sample_rate)
        amplitude = 1 / np.sqrt(np.maximum(hz, self.CORNER_HZ))
        amplitude[0] = 0.0
        taps = np.roll(np.fft.irfft(amplitude), self._block_frames // 2)[: self._block_frames]
        taps *= np.hanning(self._block_frames)
        taps *= rms / np.linalg.norm(taps)
        self._response = np.fft.rfft(taps, frames)
        self._last: tuple[int, NDArray[np.float64]] | None = None

    def _render(self, block: int) -> Block:
        before = self._last[1] if self._last and self._last[0] == block - 1 else self._white(block - 1)
        now = self._white(block)
        self._last = block, now
        filtered = np.fft.irfft(np.fft.rfft(np.concatenate([before, now], axis=1)) * self._response)
        return filtered[:, self._block_frames :].astype(np.float32)

    def _white(self, block: int) -> NDArray[np.float64]:
        """Compute white noise, shape (channels, block_frames)."""
        keys = [(block + 1,), *((block + 1, channel) for channel in range(1, self.channels))]
        streams = [np.random.SeedSequence(self._seed, spawn_key=key) for key in keys]
        return np.stack(
            [np.random.Generator(np.random.PCG64(stream)).standard_normal(self._block_frames) for stream in streams]
        )


def pink_noise(sample_rate: int, frames: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Make pink noise as of `PinkSource`, mono, ``(frames,)``, with an RMS of about 0.1. Raises `InputError`."""
    sample_rate = checked_sample_rate("pink_noise", sample_rate)
    frames, seed = checked_count("pink_noise: frames", frames), checked_count("pink_noise: seed", seed)
    samples: NDArray[np.float32] = PinkSource(sample_rate, seed=seed).read(frames)[0].copy()
    return samples
