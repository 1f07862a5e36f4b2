"""Result of a match, free of torch, so that a table of many can be read and written without it."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class MatchResult:
    """Result that ``rtgain match`` prints; None for unknown numbers.

    Attributes:
        delay_samples: delay of the target in frames at the dry recording's sample rate.
        residual_db: level of the difference (target minus matched signal) relative to the target, over the part that
            both recordings cover.
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
        """Serialize as JSON, one field per line."""
        return json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"
