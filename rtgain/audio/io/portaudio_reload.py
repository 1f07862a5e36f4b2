"""A fresh PortAudio in a process whose old one is held by a JACK server that died.

PortAudio cannot let go of such a server: stopping its stream waits ten minutes for a callback that will not come,
and closing it then aborts the program (pa_jack.c: RealStop, CleanUpStream). libjack keeps the dead server's memory
mapped for the next client, and the dead client's thread still waits on a semaphore whose name is made of the server's
name and the client's: a new client of that name, of any process, wakes it, in memory that is gone. So both libraries
are loaded once more, as private copies, and each client of each process has a name of its own. The old ones stay as
they are, never called again.
"""

import ctypes
import os
import sys
from itertools import count
from pathlib import Path
from typing import Any

JACK = b"libjack.so.0\0"

_numbers = count(1)
_kept: list[object] = []
"""Client names that PortAudio points to."""


def set_jack_client_name(path: str | None) -> None:
    """Give the PortAudio at `path`, not yet initialized, a name of its own among JACK's clients.

    Left alone all are called PortAudio, and one that only lists devices wakes the dead client of another program.
    """
    set_client_name = getattr(ctypes.CDLL(path), "PaJack_SetClientName", None) if path else None
    if set_client_name is not None:
        name = ctypes.create_string_buffer(b"rtgain-%d-%d" % (os.getpid(), len(_kept)))
        _kept.append(name)
        set_client_name(name)


def renew(sounddevice: Any) -> bool:
    """Let `sounddevice` go on with an uninitialized PortAudio of its own; False where that cannot be done (not Linux).

    What holds the old one (streams, threads) must not be used any more.
    """
    loaded = _loaded_libraries() if sys.platform == "linux" else {}
    if "libportaudio" not in loaded:
        return False
    own_jack = b"jack%03d.so.0\0" % next(_numbers)  # as long as the name that it stands for
    if "libjack" in loaded:
        ctypes.CDLL(_copy(loaded["libjack"], own_jack))  # first: the loader then finds it by this name
    path = _copy(loaded["libportaudio"], own_jack)
    set_jack_client_name(path)
    sounddevice._lib = sounddevice._ffi.dlopen(path)
    sounddevice._initialized = 0
    return True


def _loaded_libraries() -> dict[str, Path]:
    """Files of the shared libraries of this process, by the first part of their names."""
    with Path("/proc/self/maps").open(encoding="utf-8") as maps:
        paths = {Path(line.split(maxsplit=5)[5].rstrip("\n")) for line in maps if line.count("/") > 0 and ".so" in line}
    return {path.name.split(".")[0]: path for path in paths if path.exists()}


def _copy(library: Path, own_jack: bytes) -> str:
    """Where a copy of `library` in memory, which knows libjack by the name `own_jack`, can be loaded from.

    It stays open, because the loader takes a path that it has seen before for the same library.
    """
    copy = os.memfd_create(library.name)
    with open(copy, "wb", closefd=False) as file:
        file.write(library.read_bytes().replace(JACK, own_jack))
    return f"/proc/self/fd/{copy}"
