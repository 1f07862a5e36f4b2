"""Match benchmark: pairs per second and core by the length of the recordings, and the parts that the time goes into."""

import cProfile
import pstats
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from rtgain.audio.io.decoder import Decoder
from rtgain.audio.sources.demo import DemoSource
from rtgain.bench.tables import Row
from rtgain.estimation.offset.search import find_offset
from rtgain.estimation.streaming import StreamingEstimator
from rtgain.match.explain import explain
from rtgain.match.pair import match_pair
from rtgain.metering.file_loudness import measure_file

RATE = 44_100
DELAY_S = 0.25
GAIN = 0.5

PAIRS = {"3 s": (3.0, 5), "30 s": (30.0, 3), "10 min": (600.0, 1)}
"""Length of the recordings in seconds, and number of pairs that are measured."""

PARTS: dict[str, tuple[Callable[..., object], ...]] = {
    "decode": (Decoder.__init__, Decoder.read),
    "offset": (find_offset,),
    "estimate": (StreamingEstimator.advance,),
    "loudness": (measure_file,),
    "explain": (explain,),
}
"""Functions whose time, with all that they call, is a part of a match. Recordings are decoded before they are read."""

ROW_COUNT = len(PAIRS)


def rows() -> Iterator[Row]:
    """Measure pairs of the demo, 16 bit mono WAV, on one core, and the share of each part in a profile."""
    with tempfile.TemporaryDirectory() as folder:
        dry, target = Path(folder) / "dry.wav", Path(folder) / "target.wav"
        _write_pair(dry, target, min(length_s for length_s, _ in PAIRS.values()))
        match_pair(dry, target)  # loads what is loaded once per process
        for name, (length_s, count) in PAIRS.items():
            _write_pair(dry, target, length_s)
            begin_s = time.process_time()
            for _ in range(count):
                match_pair(dry, target)
            pair_s = (time.process_time() - begin_s) / count
            shares = profile_shares(lambda: match_pair(dry, target))
            yield {
                "recordings": name,
                "core_seconds_per_pair": pair_s,
                "pairs_per_second_and_core": 1.0 / pair_s,
                "times_real_time": length_s / pair_s,
                **{f"{part}_percent": 100.0 * share for part, share in shares.items()},
                "explain_to_rest": shares["explain"] / (1.0 - shares["explain"]),
            }


def profile_shares(run: Callable[[], object]) -> dict[str, float]:
    """Return the share of each of `PARTS`, and of the rest, in the processor time of `run`."""
    profile = cProfile.Profile(time.process_time)
    profile.runcall(run)
    stats = pstats.Stats(profile)
    cumulative = {name: times[3] for name, times in stats.stats.items()}  # type: ignore[attr-defined]
    total = stats.total_tt  # type: ignore[attr-defined]
    shares = {
        part: sum(cumulative.get(_profiled_name(function), 0.0) for function in functions) / total
        for part, functions in PARTS.items()
    }
    return {**shares, "other": 1.0 - sum(shares.values())}


def _profiled_name(function: Callable[..., object]) -> tuple[str, int, str]:
    code = function.__code__
    return code.co_filename, code.co_firstlineno, code.co_name


def _write_pair(dry: Path, target: Path, length_s: float) -> None:
    samples = GAIN * DemoSource(RATE).read(round(length_s * RATE))[0]
    soundfile.write(dry, samples, RATE, subtype="PCM_16")
    delayed = np.concatenate([np.zeros(round(DELAY_S * RATE), np.float32), GAIN * samples])
    soundfile.write(target, delayed, RATE, subtype="PCM_16")
