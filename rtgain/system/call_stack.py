"""Space for the frames of Python functions that is allocated once, not again and again."""

import types
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

FRAME_SLOTS = 16_000
"""Slots of 8 bytes that `call_with_space` reserves. CPython then allocates 256 KB, of which 125 KB remain for calls."""


def _call(function: Callable[[], T]) -> T:
    return function()


_spacious_call = types.FunctionType(_call.__code__.replace(co_stacksize=FRAME_SLOTS), globals())


def call_with_space(function: Callable[[], T]) -> T:
    """Call `function` with space for the frames of all functions that it calls, in this thread.

    CPython keeps frames in chunks of 16 KB. It allocates one when a call does not fit into the last, and frees it when
    that call returns. A loop whose calls cross the end of a chunk does so in every turn: a short match allocated 18,800
    chunks while torch was imported, and took 0.4 s longer (measured). A frame that needs more than a chunk gets a
    larger one, in which its calls have space.
    """
    result: T = _spacious_call(function)
    return result
