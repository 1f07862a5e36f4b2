"""What a match says. Free of torch, so that a table of many can be read and written without it."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class MatchResult:
    """What ``rtgain match`` prints; None where a number is not known.

    `delay_samples` counts at the dry recording's rate; `residual_db` is the level of target minus matched dry,
    relative to the target, where both sound.
    """

    gain_db: float | None
    gain_linear: float | None
    std_db: float | None
    delay_samples: float | None
    delay_ms: float | None
    polarity: int
    residual_db: float | None
    lufs_dry: float | None
    lufs_target: float | None
    state: str

    def to_json(self) -> str:
        """The object as text, one line a field."""
        return json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"
