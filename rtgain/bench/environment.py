"""Isolated environment of a benchmark process: its own audio server, display and home."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rtgain.errors import InputError

STARTUP_TIMEOUT_S = 120.0
"""Longest time in seconds that a run may take in addition to its measurement."""

NO_ALSA_DEVICES = "pcm.none { type hw card 31 }"
"""ALSA configuration without a usable device, so that PortAudio uses JACK; without any name, PortAudio 19.6 aborts."""


def require_programs(packages: Mapping[str, str]) -> None:
    """Raise `InputError` for missing programs; `packages` maps each program to its Debian package."""
    missing = [package for program, package in packages.items() if not shutil.which(program)]
    if missing:
        raise InputError(f"bench: programs are missing; install the Debian packages {', '.join(missing)}")


@contextmanager
def isolated_environment(period_frames: int) -> Iterator[dict[str, str]]:
    """Environment variables for a process on an asynchronous JACK server and a display, without user settings.

    Raises `InputError` if a server does not start.
    """
    from rtgain.bench.servers import JackServer, XDisplay  # Linux only

    with ExitStack() as stack:
        try:
            server = JackServer(period=period_frames, synchronous=False)
            stack.callback(server.stop)
            display = XDisplay()
            stack.callback(display.stop)
        except RuntimeError as error:
            raise InputError(f"bench: {error}") from None
        home = stack.enter_context(tempfile.TemporaryDirectory())
        asound = Path(home) / "asound.conf"
        asound.write_text(NO_ALSA_DEVICES, encoding="utf-8")
        yield {
            **os.environ,
            **server.environment,
            "DISPLAY": display.name,
            "QT_QPA_PLATFORM": "xcb",
            "ALSA_CONFIG_PATH": str(asound),
            "HOME": home,
            "XDG_CONFIG_HOME": home,
            "XDG_STATE_HOME": home,
            "OMP_NUM_THREADS": "1",
        }


def measure(environment: Mapping[str, str], module: str, words: Sequence[str], duration_s: float) -> dict[str, Any]:
    """Run ``python -m module`` with `words` as arguments, followed by `duration_s`; parse its last line as JSON.

    Raises `InputError` if it fails.
    """
    command = [sys.executable, "-m", module, *words, str(duration_s)]
    name = f"bench: {' '.join([module.rpartition('.')[2], *words])}"
    timeout_s = duration_s + STARTUP_TIMEOUT_S
    try:
        run = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{name}: did not end within {timeout_s:.0f} s; run it again on an idle machine") from None
    if run.returncode != 0:
        lines = run.stderr.strip().splitlines()
        raise InputError(f"{name}: failed: {lines[-1]}" if lines else f"{name}: failed without an error message")
    row: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return row
