"""Recordings that ``rtgain bench gui`` compares."""

from pathlib import Path

RECORDINGS = ("dry.wav", "target.wav")
RECORDING_S = 10.0
RECORDING_RATE = 48_000


def write_recordings(folder: Path) -> None:
    """Write `RECORDINGS` to `folder`: pink noise, and the same 6 dB softer."""
    import soundfile

    from rtgain.audio.sources.synthetic import PinkSource

    noise = PinkSource(RECORDING_RATE, 2, seed=0).read(round(RECORDING_S * RECORDING_RATE)).T
    for name, gain in zip(RECORDINGS, (1.0, 0.5), strict=True):
        soundfile.write(folder / name, gain * noise, RECORDING_RATE)
