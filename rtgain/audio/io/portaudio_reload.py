"""Reload PortAudio in a process whose PortAudio is blocked by a crashed JACK server.

PortAudio cannot disconnect from a crashed server. Stopping a stream waits ten minutes for a callback that is never
called, and closing the stream afterwards aborts the program (pa_jack.c: RealStop, CleanUpStream). libjack keeps the
memory of the crashed server mapped for the next client. The thread of the old client still waits on a semaphore, whose
name consists of the server's and the client's name. A new client of that name, in any process, would wake that thread,
which would then access unmapped memory.

Therefore both libraries are loaded again as private copies, and every client of every process has its own name. The
old libraries remain loaded and are not called again.
"""

import ctypes
import os
import sys
from itertools import count
from pathlib import Path
from typing import Any

from rtgain.records.device import own_jack_prefix

JACK = b"libjack.so.0\0"

_numbers = count(1)
_client_names: list[object] = []
"""Client names, kept alive because PortAudio has pointers to them."""


def set_jack_client_name(path: str | None) -> None:
    """Set a unique JACK client name in the PortAudio at `path`, which must not be initialized yet.

    By default all clients are called PortAudio. A client that only lists devices would then wake the thread of a
    disconnected client in another program.
    """
    set_client_name = getattr(ctypes.CDLL(path), "PaJack_SetClientName", None) if path else None
    if set_client_name is not None:
        name = ctypes.create_string_buffer(f"{own_jack_prefix()}{len(_client_names)}".encode())
        _client_names.append(name)
        set_client_name(name)


def reload_portaudio(sounddevice: Any) -> bool:
    """Replace the PortAudio of `sounddevice` by an uninitialized private copy. Returns False without Linux.

    Streams and threads of the old PortAudio must not be used afterwards.
    """
    loaded = _loaded_libraries() if sys.platform == "linux" else {}
    if "libportaudio" not in loaded:
        return False
    own_jack = b"jack%03d.so.0\0" % next(_numbers)  # as long as the name that it replaces
    if "libjack" in loaded:
        ctypes.CDLL(_copy(loaded["libjack"], own_jack))  # before PortAudio, so that the loader finds it by this name
    path = _copy(loaded["libportaudio"], own_jack)
    set_jack_client_name(path)
    sounddevice._lib = sounddevice._ffi.dlopen(path)
    sounddevice._initialized = 0
    return True


def _loaded_libraries() -> dict[str, Path]:
    """Return the files of the shared libraries of this process, by the first part of their names."""
    with Path("/proc/self/maps").open(encoding="utf-8") as maps:
        paths = {Path(line.split(maxsplit=5)[5].rstrip("\n")) for line in maps if line.count("/") > 0 and ".so" in line}
    return {path.name.split(".")[0]: path for path in paths if path.exists()}


def _copy(library: Path, own_jack: bytes) -> str:
    """Copy `library` to memory with the name of libjack replaced by `own_jack`. Returns the path to load it from.

    The file stays open, because the loader considers a reused path to be the same library.
    """
    copy = os.memfd_create(library.name)
    with open(copy, "wb", closefd=False) as file:
        file.write(library.read_bytes().replace(JACK, own_jack))
    return f"/proc/self/fd/{copy}"
