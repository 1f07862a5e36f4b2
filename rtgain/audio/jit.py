"""Numba settings, pointers and atomics of all compiled functions of `rtgain.audio`.

The settings keep Python out of the callback: no GIL (`nogil`) and no ZeroDivisionError
(`error_model="numpy"`). With `cache=True` a machine compiles once instead of at every start.

The atomics let one thread (or process) write a ring buffer while others read it without a lock.
A counter is stored with *release* order and loaded with *acquire* order: a reader that sees its
new value also sees everything written before it. Python has no such operations; LLVM does.
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
"""A numba record: one element of a structured NumPy array, with its fields as attributes."""

F = TypeVar("F", bound=Callable[..., Any])


_CONFIGURATION_NAMES = Path(__file__).parents[1] / "config" / "names.py"


def source_digest(package: Path) -> str:
    """Return a digest of all sources that compiled code depends on: `package` itself, its effects and its engine.

    The names of the configuration are part of it too: `MAX_CHANNELS` determines record layouts.

    On its own, numba compiles a function again only if the function's own file has changed. It would continue to
    use old code of functions called from other files, old constants, and old record layouts.
    """
    digest = hashlib.sha256(_CONFIGURATION_NAMES.read_bytes())
    for pattern in ("*.py", "effects/*.py", "engine/*.py"):
        for source in sorted(package.glob(pattern)):
            digest.update(source.read_bytes())
    return digest.hexdigest()


def cache_directory() -> Path:
    """Return the directory of the compiled code: one directory per `source_digest`."""
    package = Path(__file__).parent
    writable = os.access(package, os.W_OK)
    parent = package / "__pycache__" if writable else platformdirs.user_cache_path("rtgain")
    return parent / f"numba-{source_digest(package)[:16]}"


def enable_jit_cache() -> bool:
    """Let numba store compiled code in `cache_directory`, or in NUMBA_CACHE_DIR if that is set.

    Returns False if the directory cannot be written; numba then compiles at every start.
    """
    if numba_config.CACHE_DIR:  # type: ignore[attr-defined]
        return True
    try:
        cache_directory().mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    numba_config.CACHE_DIR = str(cache_directory())  # type: ignore[attr-defined]
    return True


JIT_CACHE_ENABLED = enable_jit_cache()
"""True if compiled code is stored on disk and reused at the next start."""


def realtime_jit(function: F) -> F:
    """Compile `function` with numba at its first call: without the GIL and Python objects, cached on disk."""
    return cast(F, numba.njit(nogil=True, cache=JIT_CACHE_ENABLED, error_model="numpy")(function))


def realtime_jit_eager(signature: Any) -> Callable[[F], F]:
    """Compile for `signature` only, at import, so that no later call can start the compiler."""

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
        source = builder.inttoptr(arguments[0], _INT64.as_pointer())
        return builder.load_atomic(source, "acquire", 8)

    return types.int64(types.int64), generate


def _store_release(context: Any, address: Any, value: Any) -> Any:
    def generate(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
        destination = builder.inttoptr(arguments[0], _INT64.as_pointer())
        builder.store_atomic(arguments[1], destination, "release", 8)
        return target.get_dummy_value()

    return types.void(types.int64, types.int64), generate


def _fence(context: Any) -> Any:
    def generate(target: Any, builder: Any, _: Any, __: Any) -> Any:
        builder.fence("acq_rel")
        return target.get_dummy_value()

    return types.void(), generate


pointer = cast(Callable[[int], Any], intrinsic(_pointer))
"""Convert an address to a void pointer. Like the next three, for compiled code only."""

load_acquire = cast(Callable[[int], int], intrinsic(_load_acquire))
"""Load the int64 at an address (8-byte aligned) with acquire order."""

store_release = cast(Callable[[int, int], None], intrinsic(_store_release))
"""Store an int64 at an address (8-byte aligned) with release order."""

fence = cast(Callable[[], None], intrinsic(_fence))
"""Acquire-release fence: no earlier load moves behind a later access, no later store before an earlier access."""


@realtime_jit
def array_at(address: int, shape: int | tuple[int, int], dtype: Any) -> Any:
    """Return a view of the array of `dtype` at an address. A record is the only element of such an array."""
    return carray(pointer(address), shape, dtype)


@realtime_jit
def load_counter(address: int) -> int:
    """Call `load_acquire` from Python."""
    return load_acquire(address)


@realtime_jit
def store_counter(address: int, value: int) -> None:
    """Call `store_release` from Python."""
    store_release(address, value)
