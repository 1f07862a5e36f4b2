"""What every compiled function of the audio side shares: the compiler's settings, pointers and atomics.

The settings keep Python out of the callback: no GIL (`nogil`), no ZeroDivisionError
(`error_model="numpy"`), and `cache=True` so that a machine compiles once and not at every start.

The atomics are what lets one thread (or process) write a ring while others read it without a lock:
a counter stored with *release* order is seen, by whoever loads it with *acquire* order, together
with everything written before it. Python has no such operations; LLVM does.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numba.core.config as numba_config
import platformdirs
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.numpy_support import carray

Record = Any
"""A numba record: one element of a structured NumPy array, its fields read as attributes."""

F = TypeVar("F", bound=Callable[..., Any])


def cache_directory() -> Path:
    """Where compiled code is kept: one directory for each state of the sources that it is made of.

    Left alone, numba compiles a function again when its own file has changed, but goes on using the old
    code of what it calls from others, and the old layout of its records.
    """
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for source in sorted(package.rglob("*.py")):
        text = source.read_bytes()
        if b"rtgain.audio.jit" in text or b"np.dtype(" in text or source.samefile(__file__):
            digest.update(text)
    writable = os.access(package, os.W_OK)
    parent = package / "__pycache__" if writable else platformdirs.user_cache_path("rtgain")
    return parent / f"numba-{digest.hexdigest()[:16]}"


def enable_jit_cache() -> bool:
    """Make numba keep compiled code, in `cache_directory` unless NUMBA_CACHE_DIR says where; whether it can."""
    if numba_config.CACHE_DIR:  # type: ignore[attr-defined]
        return True
    try:
        cache_directory().mkdir(parents=True, exist_ok=True)
    except OSError:
        return False  # no place on this machine is ours to write: it compiles at every start
    numba_config.CACHE_DIR = str(cache_directory())  # type: ignore[attr-defined]
    return True


JIT_CACHE_ENABLED = enable_jit_cache()


def realtime_jit(function: F) -> F:
    """Compile `function` with numba at its first call: no GIL, no Python object, cached on disk."""
    return cast(F, numba.njit(nogil=True, cache=JIT_CACHE_ENABLED, error_model="numpy")(function))


def realtime_jit_eager(signature: Any) -> Callable[[F], F]:
    """Compile for `signature` alone and at once, so that no later call can start the compiler."""

    def compile_now(function: F) -> F:
        return cast(F, numba.njit([signature], nogil=True, cache=JIT_CACHE_ENABLED, error_model="numpy")(function))

    return compile_now


_INT64 = ir.IntType(64)


def _pointer(context: Any, address: Any) -> Any:
    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


def _load_acquire(context: Any, address: Any) -> Any:
    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], _INT64.as_pointer())
        return builder.load_atomic(place, "acquire", 8)

    return types.int64(types.int64), generate


def _store_release(context: Any, address: Any, value: Any) -> Any:
    def generate(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], _INT64.as_pointer())
        builder.store_atomic(arguments[1], place, "release", 8)
        return target.get_dummy_value()

    return types.void(types.int64, types.int64), generate


def _fence(context: Any) -> Any:
    def generate(target: Any, builder: Any, _: Any, __: Any) -> Any:
        builder.fence("acq_rel")
        return target.get_dummy_value()

    return types.void(), generate


pointer = cast(Callable[[int], Any], intrinsic(_pointer))
"""The void pointer to an address; in compiled code only, as the three below."""

load_acquire = cast(Callable[[int], int], intrinsic(_load_acquire))
"""The int64 at an address (8-byte aligned), with acquire order."""

store_release = cast(Callable[[int, int], None], intrinsic(_store_release))
"""Store at an address (8-byte aligned) an int64, with release order."""

fence = cast(Callable[[], None], intrinsic(_fence))
"""Keeps loads and stores on the side of it that they were written on."""


@realtime_jit
def array_at(address: int, shape: int | tuple[int, int], dtype: Any) -> Any:
    """The array of `dtype` that lies at an address. A record is the one element of such an array."""
    return carray(pointer(address), shape, dtype)


@realtime_jit
def load_counter(address: int) -> int:
    """`load_acquire`, for Python."""
    return load_acquire(address)


@realtime_jit
def store_counter(address: int, value: int) -> None:
    """`store_release`, for Python."""
    store_release(address, value)
