"""Isolation of the tests from the machine: own home, locale, time zone, caches and sound configuration.

A developer's machine has settings, sound cards, PulseAudio or PipeWire with ALSA plug-ins, a JACK server, a display and
a language. None of them may be used, changed, or decide whether a test passes.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

FOREIGN = (
    *("ALSA_", "DBUS_", "JACK_", "PIPEWIRE_", "PULSE_", "SDL_"),
    *("DISPLAY", "GDK_", "QT_", "WAYLAND_", "XAUTHORITY", "XDG_"),
    *("COLUMNS", "LANG", "LC_", "LINES", "NO_COLOR", "FORCE_COLOR", "PYTHONUNBUFFERED", "TERM", "TZ"),
    *("MPL", "NUMBA_", "OMP_"),
    "PYTHONDONTWRITEBYTECODE",
)
"""Prefixes of variables that are removed from the environment of the tests."""

CACHE = "RTGAIN_TESTS_CACHE"
"""Variable with the folder of caches (fonts, compiled code) that the processes of one test run share."""

NO_DEVICES = "pcm.none { type hw card 31 }"
"""An ALSA configuration with one name that leads nowhere: PortAudio 19.6 aborts where every name leads somewhere."""

_folder = tempfile.TemporaryDirectory(prefix="rtgain-tests-", ignore_cleanup_errors=True)


def isolate_environment() -> None:
    """Replace the variables of `os.environ` that differ between machines. The folders exist until the process exits."""
    root = Path(_folder.name)
    cache = os.environ.get(CACHE, str(root / "cache"))
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        del os.environ[name]
    sys.dont_write_bytecode = False  # a hundred processes would compile the same sources
    asound = root / "asound.conf"
    asound.write_text(NO_DEVICES, encoding="utf-8")
    homes = {f"XDG_{kind}_HOME": root / kind.lower() for kind in ("CONFIG", "DATA", "STATE")}
    homes |= {"HOME": root / "home", "XDG_RUNTIME_DIR": root / "runtime", "XDG_CACHE_HOME": Path(cache)}
    for folder in homes.values():
        folder.mkdir(mode=0o700, exist_ok=True)
    os.environ.update({name: str(folder) for name, folder in homes.items()})
    os.environ.update(
        {
            CACHE: cache,
            "ALSA_CONFIG_PATH": str(asound),
            "JACK_DEFAULT_SERVER": "none-but-the-fixtures",
            "JACK_NO_START_SERVER": "1",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "OMP_NUM_THREADS": "1",  # more are slower at these sizes, above all on a busy machine
            "PULSE_SERVER": f"unix:{root}/no-pulseaudio",
            "TZ": "UTC",
        }
    )
    if hasattr(time, "tzset"):
        time.tzset()
