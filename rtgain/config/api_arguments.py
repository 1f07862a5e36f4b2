"""Checks of the arguments of the Python API: signals as arrays of real numbers, sample rates, whole numbers."""

import math
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtgain.config.names import SAMPLE_RATE_RANGE_HZ
from rtgain.errors import InputError


def real_array(argument: str, value: object) -> NDArray[Any]:
    """Convert `value` to an array of real numbers, without a copy of an array.

    `argument` names function and argument in messages, for example ``match: dry``. Raises `InputError` for anything
    else: text, complex numbers, rows of different lengths, tensors that require a gradient.
    """
    try:
        array = np.asarray(value)
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{argument} cannot be converted to an array: {error}") from None
    if array.dtype.kind not in "biuf":
        raise InputError(f"{argument} must be an array of real numbers, not of the type {array.dtype}")
    return array


def finite_array(argument: str, value: object) -> NDArray[Any]:
    """Convert `value` to an array of finite numbers. Raises `InputError`."""
    array = real_array(argument, value)
    if not np.isfinite(array).all():
        raise InputError(f"{argument} contains NaN or infinity; replace these samples")
    return array


def sound_array(argument: str, value: object) -> NDArray[np.float32]:
    """Convert a signal, ``(frames,)`` or ``(channels, frames)`` with full scale at ±1, to ``(channels, frames)``.

    Raises `InputError` for other shapes, samples that are not finite, and integer samples beyond ±1, which have
    another full scale.
    """
    array = finite_array(argument, value)
    if array.ndim not in (1, 2) or array.size == 0 or (array.ndim == 2 and len(array) > array.shape[1]):
        raise InputError(f"{argument} must have the shape (frames,) or (channels, frames), not {array.shape}")
    if array.dtype.kind in "iu" and (array.max() > 1 or array.min() < -1):
        raise InputError(
            f"{argument} has integer samples from {array.min()} to {array.max()}; divide them by their full scale, "
            "32768 for 16 bits"
        )
    if np.abs(array).max() > np.finfo(np.float32).max:
        raise InputError(f"{argument} exceeds single precision; scale it to ±1")
    return np.atleast_2d(array.astype(np.float32))


def checked_sample_rate(caller: str, sample_rate: object) -> int:
    """Return a sample rate in Hz as an integer. Raises `InputError` if it is not a whole number within the range."""
    lowest, highest = SAMPLE_RATE_RANGE_HZ
    rate = float(sample_rate) if isinstance(sample_rate, Real) else math.nan
    if not (lowest <= rate <= highest and rate.is_integer()):
        raise InputError(
            f"{caller}: sample_rate must be a whole number of {lowest} to {highest} Hz, not {sample_rate!r}"
        )
    return int(rate)


def checked_count(argument: str, value: object, *, minimum: int = 0) -> int:
    """Return a whole number. Raises `InputError` if `value` is not one, or below `minimum`."""
    if not (isinstance(value, Integral) and int(value) >= minimum):
        raise InputError(f"{argument} must be a whole number, {minimum} or more, not {value!r}")
    return int(value)
