"""Atomic file writes: a file is complete or absent."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from rtgain.errors import InputError


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file completely or not at all. Devices and pipes are written to directly.

    The temporary file next to it has an unguessable name, so that it cannot be a link that another user has created.
    Raises `InputError`, or `BrokenPipeError` for a pipe whose reading end is closed (EPIPE).
    """
    destination = Path(os.path.realpath(path))  # a symbolic link is preserved
    part = destination.with_name(f".rtgain-{secrets.token_hex(8)}.part")
    try:
        if destination.exists() and not destination.is_file():
            destination.write_bytes(content)
        else:
            with part.open("xb") as file:
                file.write(content)
            part.replace(destination)
    except OSError as error:
        raise write_error(str(path), error) from None
    finally:
        with suppress(OSError):  # usually FileNotFoundError: it was renamed
            part.unlink()


def check_directory_writable(path: Path) -> None:
    """Raise the `OSError` that `write_atomic` would raise now for the directory of `path`."""
    if path.is_file() or not path.exists():
        with tempfile.TemporaryFile(dir=path.parent):
            pass


def write_error(name: str, error: OSError) -> InputError | BrokenPipeError:
    """Return the exception for a failed write: `InputError`, or `error` itself for a pipe without a reader (EPIPE)."""
    if isinstance(error, BrokenPipeError):
        return error
    return InputError(f"{name}: cannot be written ({error.strerror}); choose another location or free some space")
