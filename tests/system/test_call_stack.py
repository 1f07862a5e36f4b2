"""Space for frames: without it, a loop of calls at the end of a chunk of frames allocates in every turn."""

import resource

import pytest

from rtgain.system.call_stack import call_with_space

CALLS = 1000
DEPTHS = range(250)
"""More small frames than a chunk of 16 KB holds."""


def leaf(*, a=0, b=0, c=0, d=0, e=0, f=0, g=0, h=0, i=0, j=0, k=0, l=0, m=0, n=0, o=0, p=0, q=0, r=0):  # noqa: E741
    """Do nothing, in a frame that is larger than that of `faults_of_calls`: one depth is at the end of a chunk."""


def faults_of_calls(depth: int) -> int:
    """Count the page faults of a loop of calls, `depth` frames below this one: a new chunk is a new page."""
    if depth:
        return faults_of_calls(depth - 1)
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    for _ in range(CALLS):
        leaf()
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before


def most_faults() -> int:
    return max(faults_of_calls(depth) for depth in DEPTHS)


def test_calls_have_space_at_any_depth():
    assert most_faults() >= CALLS  # otherwise Python has changed, and `call_with_space` is not needed any more
    assert call_with_space(most_faults) < CALLS / 10


def test_result_and_exception_are_those_of_the_function():
    def fail() -> None:
        raise KeyError("reason")

    assert call_with_space(lambda: 42) == 42
    with pytest.raises(KeyError, match="reason"):
        call_with_space(fail)
