"""Shared-memory block: shared by processes, removed only by its creator, and without output."""

import errno
import os
import stat
import subprocess
import sys
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np
import pytest

from rtgain.audio.engine.shared_memory import CONTROL, EngineSharedMemory
from rtgain.errors import RtgainError
from tests.polling import TIMEOUT_S


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a new Python process."""
    command = [sys.executable, "-W", "always", "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)


def test_every_control_field_is_eight_aligned_bytes() -> None:
    assert CONTROL.fields is not None
    assert all(field[0].base.itemsize == 8 and field[1] % 8 == 0 for field in CONTROL.fields.values())


@pytest.mark.parametrize(
    ("sample_rate", "channels", "capacity"),
    [
        (8000, 1, 2**17), (44100, 1, 2**19), (48000, 1, 2**19), (96000, 1, 2**20), (192000, 1, 2**20),
        (48000, 2, 2**19), (96000, 2, 2**19), (192000, 2, 2**19), (48000, 8, 2**18),
    ],
)  # fmt: skip
def test_the_audio_ring_holds_ten_seconds_or_what_shared_memory_allows(
    sample_rate: int, channels: int, capacity: int
) -> None:
    with EngineSharedMemory.create(sample_rate, channels) as memory:
        assert memory.audio.capacity == capacity
        assert memory.control["sample_rate"] == sample_rate
        assert memory._shared is not None
        assert memory._shared.size < 64 * 2**20  # the limit of a container


def test_new_block_is_empty_and_has_unity_matched_gain() -> None:
    with EngineSharedMemory.create(48000) as memory:
        assert memory.audio.frames_written == 0
        assert memory.estimates.frames_written == 0
        assert memory.control["frames"] == 0
        assert memory.control["matched_gain"] == 1.0
        assert memory.control["matched_delay_frames"] == 0.0


def test_two_attachments_of_one_block_share_their_data() -> None:
    with EngineSharedMemory.create(48000) as creator, EngineSharedMemory.attach(creator.name) as other:
        creator.audio.write(np.full((4, 3), 0.5, np.float32))
        other.estimates.write(np.arange(float(other.estimates.rows))[:, None])
        other.control["matched_gain"] = -0.25
        signals = other.audio.read_signals(0, 3)
        assert signals.dry.tolist() == signals.target.tolist() == [[0.5] * 3]
        assert creator.estimates.read(0, 1)[:, 0].tolist() == list(range(creator.estimates.rows))
        assert creator.control["matched_gain"] == -0.25


def test_audio_ring_has_dry_target_and_matched_of_every_channel_and_one_reference_gain() -> None:
    with EngineSharedMemory.create(48000, channels=2) as creator, EngineSharedMemory.attach(creator.name) as other:
        rows = np.arange(21, dtype=np.float32).reshape(7, 3)
        creator.audio.write(rows)
        assert other.channels == other.audio.channels == 2
        signals = other.audio.read_signals(1, 2)
        assert signals.dry.tolist() == rows[0:2, 1:].tolist()
        assert signals.target.tolist() == rows[2:4, 1:].tolist()
        assert signals.matched.tolist() == rows[4:6, 1:].tolist()
        assert signals.reference_gain.tolist() == rows[6, 1:].tolist()


ATTACH_AND_WRITE = """
import sys
from rtgain.audio.engine.shared_memory import EngineSharedMemory
memory = EngineSharedMemory.attach(sys.argv[1])
memory.control["matched_gain"] = 0.5
if sys.argv[2] == "close":
    memory.close()
"""


@pytest.mark.parametrize("ending", ["close", "exit"])
def test_exit_of_an_attached_process_keeps_the_block(ending: str) -> None:
    with EngineSharedMemory.create(48000) as memory:
        result = run_python(ATTACH_AND_WRITE, memory.name, ending)
        assert result.stderr == ""
        assert memory.control["matched_gain"] == 0.5
        with EngineSharedMemory.attach(memory.name) as again:
            assert again.control["matched_gain"] == 0.5


SPAWN_AND_CLOSE = """
import multiprocessing
from rtgain.audio.engine.shared_memory import EngineSharedMemory

def work(name):
    with EngineSharedMemory.attach(name) as memory:
        memory.control["matched_gain"] = 0.5

if __name__ == "__main__":
    with EngineSharedMemory.create(48000) as memory:
        process = multiprocessing.get_context("spawn").Process(target=work, args=(memory.name,))
        process.start()
        process.join()
        assert process.exitcode == 0 and memory.control["matched_gain"] == 0.5
"""


def test_spawned_worker_and_its_parent_exit_without_output(tmp_path: Path) -> None:
    script = tmp_path / "spawn.py"
    script.write_text(SPAWN_AND_CLOSE)
    result = run_python("import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__')", str(script))
    assert result.stderr == ""


def test_creator_removes_the_block_on_close() -> None:
    memory = EngineSharedMemory.create(48000)
    memory.close()
    memory.close()
    with pytest.raises(FileNotFoundError):
        EngineSharedMemory.attach(memory.name)


def test_removed_block_keeps_working_and_closes_without_output() -> None:
    program = (
        "from pathlib import Path\n"
        "from rtgain.audio.engine.shared_memory import EngineSharedMemory\n"
        "with EngineSharedMemory.create(8000) as memory:\n"
        "    (Path('/dev/shm') / memory.name).unlink()\n"
        "    assert memory.control['sample_rate'] == 8000\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_block_names_are_unguessable_and_private() -> None:
    with EngineSharedMemory.create(48000) as one, EngineSharedMemory.create(48000) as two:
        random_bits = 4 * len(one.name.rpartition("-")[2])
        assert one.name != two.name
        assert random_bits >= 64
        assert one._shared is not None
        mode = os.fstat(one._shared._fd).st_mode  # type: ignore[attr-defined]
        assert stat.S_IMODE(mode) == 0o600


def test_too_little_shared_memory_is_one_error_line_and_leaves_no_block(monkeypatch: pytest.MonkeyPatch) -> None:
    names = []

    def no_space(descriptor: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def note_name(shared: SharedMemory) -> None:
        names.append(shared.name)
        unlink(shared)

    unlink = SharedMemory.unlink
    monkeypatch.setattr(SharedMemory, "unlink", note_name)
    monkeypatch.setattr(os, "posix_fallocate", no_space)
    with pytest.raises(RtgainError, match=r"not enough shared memory for \d+ MiB \(No space left on device\)"):
        EngineSharedMemory.create(48000)
    assert len(names) == 1
