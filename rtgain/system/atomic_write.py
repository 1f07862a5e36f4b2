"""Atomic file writes: a file is complete or absent."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from rtgain.errors import InputError


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all; a device or a pipe is just written to.

    What is half-written has a name beside it that nobody can have guessed, so it is no link that others laid there.
    Raises `InputError`, or `BrokenPipeError` for a pipe whose reader has gone.
    """
    place = Path(os.path.realpath(path))  # a link goes on leading there
    part = place.with_name(f".rtgain-{secrets.token_hex(8)}.part")
    try:
        if place.exists() and not place.is_file():
            place.write_bytes(content)
        else:
            with part.open("xb") as file:
                file.write(content)
            part.replace(place)
    except OSError as error:
        raise write_error(str(path), error) from None
    finally:
        with suppress(OSError):  # mostly that it is not there any more
            part.unlink()


def check_directory_writable(place: Path) -> None:
    """Raise the `OSError` that `write_atomic` would meet in the directory of `place`, as far as that is known now."""
    if place.is_file() or not place.exists():
        with tempfile.TemporaryFile(dir=place.parent):
            pass


def write_error(name: str, error: OSError) -> InputError | BrokenPipeError:
    """What to raise for a file that could not be written; a pipe whose reader has gone is nobody's mistake."""
    if isinstance(error, BrokenPipeError):
        return error
    return InputError(f"{name}: cannot be written ({error.strerror}); choose another place or make room")
