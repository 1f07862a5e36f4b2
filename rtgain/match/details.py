"""Match of a pair with the data for its report and its figure."""

from dataclasses import dataclass

from rtgain.match.explain import Explanation
from rtgain.match.render import MatchedChannel
from rtgain.match.result import MatchResult
from rtgain.records.delay_curve import DelayCurve
from rtgain.records.equalizer import EqualizerFilters
from rtgain.records.estimate import Estimate

COMMON_SHARE = 0.99
"""Share of the longer recording below which the loudness of the common part is measured too."""


@dataclass(frozen=True)
class MatchDetails:
    """A match with the data for its figure."""

    result: MatchResult
    sample_rate: int
    """Sample rate in Hz of the frames of `estimates`."""
    estimates: list[Estimate]
    """Estimates in the dry recording's own time; their delays are those between the starts of both recordings."""
    channels: tuple[MatchedChannel, ...]
    """Factor and delay of each channel of the matched signal."""
    curve: DelayCurve | None
    """Delay over time, to which those of `channels` are added; None if it does not move."""
    explanation: Explanation
    """Differences beyond one gain, with the measurements behind them."""
    common_s: float
    """Duration of the common part in seconds."""
    longest_s: float
    """Duration of the longer recording in seconds."""
    section_start_s: float | None
    """Start of the section that was compared, in the dry recording; None for all that both cover."""
    common_lufs: tuple[float, float] | None
    """Loudness of both recordings over their common part; None if that is nearly all of both."""
    equalizer: EqualizerFilters | None
    """Learned equalizer; None with the processor ``gain``."""
    notices: tuple[str, ...]
    """Messages about the recordings for the user, one line each."""
