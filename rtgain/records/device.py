"""Description of an audio device."""

import os
from dataclasses import dataclass
from typing import Literal

Kind = Literal["input", "output"]
"""Direction of a device."""


@dataclass(frozen=True)
class DeviceInfo:
    """An audio device as PortAudio lists it; its text is ``name (host API)``, which also selects it."""

    index: int
    name: str
    host_api: str
    input_channels: int
    output_channels: int
    default_sample_rate: float
    """In Hz."""
    default_latency_s: float
    """Shortest latency that the device suggests; for JACK, its period."""

    def channels(self, kind: Kind) -> int:
        """Return the number of channels in one direction."""
        return self.input_channels if kind == "input" else self.output_channels

    def __str__(self) -> str:
        return f"{self.name} ({self.host_api})"


def own_jack_prefix() -> str:
    """Return the beginning of the names of this process's JACK clients, which PortAudio lists as devices."""
    return f"rtgain-{os.getpid()}-"
