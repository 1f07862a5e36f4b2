"""Result of a match, free of torch, so that a table of many can be read and written without it."""

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ChannelMatch:
    """Gain, polarity and delay of one channel; None if its sound does not determine them."""

    gain_db: float | None
    polarity: int
    delay_ms: float | None


@dataclass(frozen=True)
class MatchResult:
    """Result that ``rtgain match`` prints; None for unknown numbers.

    Attributes:
        channels: each channel's own gain, polarity and delay; a file of one channel is compared with each of the other.
        delay_samples: delay of the target in frames at the dry recording's sample rate.
        drift_ppm: how much faster the target's clock runs, in parts per million; 0 if it is the dry recording's.
        residual_db: level of the difference (target minus matched signal) relative to the target, over the part that
            both recordings cover.
        response: ``frequency_hz``, ``gain_db`` and ``coherence`` of the target over the dry recording, in bands of a
            third of an octave; None without a gain.
        residual_eq_db: the same behind the learned equalizer; None without ``--processor eq``.
        filters: learned filters, `EqualizerFilter.to_object` each; None without ``--processor eq``.
        lufs_dry, lufs_target: integrated loudness of the whole recording (ITU-R BS.1770-5).
        lra_dry, lra_target: loudness range in LU (EBU Tech 3342).
        true_peak_dry_dbtp, true_peak_target_dbtp: highest true peak of all channels.
        findings: differences beyond one gain, most important first: ``kind``, ``text``, and numbers by their names.
    """

    gain_db: float | None
    gain_linear: float | None
    std_db: float | None
    delay_samples: float | None
    delay_ms: float | None
    drift_ppm: float | None
    polarity: int
    state: str
    channels: list[ChannelMatch]
    residual_db: float | None
    residual_eq_db: float | None
    filters: list[dict[str, Any]] | None
    response: dict[str, list[float | None]] | None
    lufs_dry: float | None
    lufs_target: float | None
    lra_dry: float | None
    lra_target: float | None
    true_peak_dry_dbtp: float | None
    true_peak_target_dbtp: float | None
    findings: list[dict[str, Any]]

    def to_json(self) -> str:
        """Serialize as JSON, one field per line."""
        return json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"
