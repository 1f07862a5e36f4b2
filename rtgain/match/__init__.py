"""Matching of two recordings: gain, delay and polarity, for one pair or many.

The package is callable: ``rtgain.match(dry, target, sample_rate)`` matches two signals in memory
(`rtgain.match.signals.match_signals`).
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from rtgain.match.signals import SignalMatch


class _CallableModule(ModuleType):
    """Module that is a function, too: a package and a function of one name cannot both be attributes of `rtgain`."""

    def __call__(self, dry: "ArrayLike", target: "ArrayLike", sample_rate: int) -> "SignalMatch":
        """Match two signals in memory; see `rtgain.match.signals.match_signals`."""
        from rtgain.match.signals import match_signals

        return match_signals(dry, target, sample_rate)


sys.modules[__name__].__class__ = _CallableModule
