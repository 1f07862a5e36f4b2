"""Space for frames: without it, a loop of calls at the end of a chunk of frames allocates in every turn."""

import statistics
import time

import pytest

from rtgain.system.call_stack import call_with_space

CALLS = 1000
DEPTHS = range(250)
"""More small frames than a chunk of 16 KB holds."""


def leaf(*, a=0, b=0, c=0, d=0, e=0, f=0, g=0, h=0, i=0, j=0, k=0, l=0, m=0, n=0, o=0, p=0, q=0, r=0):  # noqa: E741
    """Do nothing, in a frame that is larger than that of `time_of_calls`: one depth is at the end of a chunk."""


def time_of_calls(depth: int) -> float:
    """Measure the shortest of three times of a loop of calls, `depth` frames below this one."""
    if depth:
        return time_of_calls(depth - 1)
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        for _ in range(CALLS):
            leaf()
        times.append(time.perf_counter() - begin)
    return min(times)


def slowest_to_median() -> float:
    times = [time_of_calls(depth) for depth in DEPTHS]
    return max(times) / statistics.median(times)


def test_calls_have_space_at_any_depth():
    ratios = [(slowest_to_median(), call_with_space(slowest_to_median)) for _ in range(3)]
    without, with_space = map(min, zip(*ratios, strict=True))
    assert without > 20.0  # otherwise Python has changed, and `call_with_space` is not needed any more
    assert with_space < without / 5.0


def test_result_and_exception_are_those_of_the_function():
    def fail() -> None:
        raise KeyError("reason")

    assert call_with_space(lambda: 42) == 42
    with pytest.raises(KeyError, match="reason"):
        call_with_space(fail)
