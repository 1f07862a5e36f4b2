"""Callback, called like PortAudio calls it: no allocation, no lock, and exact output for blocks of any size."""

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rtgain.audio.engine.engine import Engine
from rtgain.config.names import Target
from tests.polling import TIMEOUT_S

RATE = 48000
SIZES = (1, 63, 64, 480, 4096, 0)

HOOKS = Path(__file__).with_name("realtime_hooks.c")

DRIVE = """
import ctypes, json, sys
import numpy as np
from rtgain.audio.engine.engine import Engine
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters

hooks, which, in_channels, channels, blocks, *sizes = sys.argv[1:]
library = ctypes.CDLL(hooks)
signature = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_int64] * 6)
channels, in_channels = int(channels), int(in_channels)
with Engine(48000, channels=channels, in_channels=in_channels, dry_channels=tuple(range(1, channels + 1))) as engine:
    engine.reference.set(gain_db=-6.0, phase_deg=30.0, delay_ms=3.3, noise_dbfs=-60.0)
    equalizer = EqualizerFilters(-3.0, (EqualizerFilter("low_shelf", 100.0, 6.0, 0.7),) * 6)
    engine.reference.set_equalizer(equalizer)
    engine.memory.control.publish_equalizer(equalizer.coefficients(48000))
    engine.write_source(np.full((channels, engine.source_space), 0.1, np.float32))
    address = engine.callback_address
    if which == "python":
        function = signature(lambda *_: 0 * len(bytes(1000)))  # needs the interpreter lock
        address = ctypes.cast(function, ctypes.c_void_p).value
    block_sizes = np.array([int(size) for size in sizes])
    samples = 0.1 * np.random.default_rng(1).standard_normal((block_sizes.max(), max(in_channels, 1)))
    samples = samples.astype(np.float32)
    output = np.zeros((block_sizes.max(), 2), np.float32)
    counts = np.zeros(2, np.int64)
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    library.drive(pointer(address), pointer(engine.userdata_address), pointer(samples.ctypes.data),
                  pointer(output.ctypes.data), number(int(blocks)), pointer(block_sizes.ctypes.data),
                  number(len(sizes)), pointer(counts.ctypes.data))
    control = engine.memory.control
    print(json.dumps({"allocations": int(counts[0]), "locks": int(counts[1]), "frames": control["frames"],
                      "xruns": control["xruns"], "underruns": control["underrun_frames"]}))
"""


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("hooks") / "hooks.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-fno-builtin", "-o", library, HOOKS, "-ldl"], check=True)
    return library


def drive(
    hooks: Path, which: str, in_channels: int, blocks: int, sizes: tuple[int, ...], channels: int = 1
) -> dict[str, int]:
    command = [sys.executable, "-c", DRIVE, str(hooks), which, *map(str, (in_channels, channels, blocks, *sizes))]
    environment = {**os.environ, "LD_PRELOAD": str(hooks), "PYTHONPATH": str(Path(__file__).parents[3])}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout))


@pytest.mark.parametrize("in_channels", [0, 1], ids=["source", "microphone"])
def test_a_million_blocks_allocate_nothing_and_take_no_lock(hooks: Path, in_channels: int, thorough: bool) -> None:
    """The full million for a source, fewer for a microphone, whose only difference is the origin of the dry signal."""
    blocks = 1_000_000 if thorough or in_channels == 0 else 100_000
    found = drive(hooks, "compiled", in_channels, blocks, (64,))
    assert found["frames"] == 64 * blocks
    assert found["xruns"] == blocks // 1000
    assert (found["underruns"] > 0) == (in_channels == 0)  # the source ring has two seconds, followed by silence
    assert (found["allocations"], found["locks"]) == (0, 0)


@pytest.mark.parametrize("channels", [1, 2])
def test_blocks_of_changing_size_allocate_nothing(hooks: Path, channels: int) -> None:
    found = drive(hooks, "compiled", channels, 6_000, SIZES, channels)
    assert found["frames"] == 1000 * sum(SIZES)
    assert (found["allocations"], found["locks"]) == (0, 0)


def test_hooks_count_allocations_and_locks_of_a_python_callback(hooks: Path) -> None:
    found = drive(hooks, "python", 1, 1000, (64,))
    assert found["allocations"] > 0
    assert found["locks"] > 0


@pytest.mark.parametrize("in_channels", [0, 1, 2], ids=["source", "microphone", "two inputs"])
def test_blocks_of_changing_size_are_exact_to_the_bit(in_channels: int) -> None:
    frames = 2 * sum(SIZES)
    samples = np.random.default_rng(1).standard_normal((frames, max(in_channels, 1))).astype(np.float32) / 10
    (output, rows), (whole_output, whole_rows) = (
        call_in_blocks(samples, in_channels, sizes) for sizes in (2 * SIZES, (frames,))
    )
    np.testing.assert_array_equal(output, whole_output)
    np.testing.assert_array_equal(rows, whole_rows)
    assert np.abs(whole_output).max() > 0.01


def call_in_blocks(
    samples: NDArray[np.float32], in_channels: int, sizes: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.floating]]:
    """Call the callback for `samples` in blocks of `sizes`. Returns the output and the frames of the audio ring."""
    output = np.full((len(samples), 2), np.nan, np.float32)
    times = np.zeros(3)
    target: Target = "channel" if in_channels == 2 else "reference"
    with Engine(RATE, in_channels=in_channels, target=target, target_channels=(max(in_channels, 1),)) as engine:
        engine.reference.set(gain_db=-6.0, phase_deg=30.0, delay_ms=3.3, noise_dbfs=-60.0)
        engine.write_source(samples[:, :1].T)
        callback = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_int64] * 6)(engine.callback_address)
        start = 0
        for size in sizes:
            inputs, out = samples[start:].ctypes.data, output[start:].ctypes.data
            assert callback(inputs, out, size, times.ctypes.data, 0, engine.userdata_address) == 0
            start += size
        ring = engine.memory.audio
        return output, ring.read(0, ring.frames_written)
