"""A session without sound, for the window's tests: a plausible estimate, and faults on demand."""

import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rtgain.config import SessionConfig
from rtgain.session import Snapshot
from rtgain.trace import History

HOP_S = 1024 / 48000
SETTLE_S = 0.4


@dataclass
class FakeSession:
    """Has the methods of `rtgain.session.Session`; its clock is `clock()`, so that a test may hold time."""

    config: SessionConfig
    start_error: Exception | None = None
    snapshot_error: Exception | None = None
    clock: Any = time.monotonic
    calls: list[tuple[str, Any]] = field(default_factory=list)
    faults: dict[str, Any] = field(default_factory=dict)
    """Fields of the snapshot that are given rather than made up."""

    notices: list[str] = field(default_factory=list)
    """What the next snapshot tells the user, once."""

    def __post_init__(self) -> None:
        self.started = False
        self.stopped = False
        self._rows: list[tuple[float, ...]] = []
        self._estimate_db = 0.0
        self._gain_db = self.config.gain_db
        self._random = np.random.default_rng(self.config.seed)
        self._frozen = False

    def start(self) -> None:
        if self.start_error is not None:
            raise self.start_error
        self.started = True
        self._began = self.clock()

    def stop(self) -> None:
        self.stopped = True

    def set_reference(self, **changes: Any) -> None:
        self.calls.append(("set_reference", changes))
        self._gain_db = changes.get("gain_db", self._gain_db)

    def set_hear(self, hear: str) -> None:
        self.calls.append(("set_hear", hear))

    def freeze(self, frozen: bool) -> None:
        self.calls.append(("freeze", frozen))
        self._frozen = frozen

    def reset_estimate(self) -> None:
        self.calls.append(("reset_estimate", None))
        self._estimate_db = 0.0

    def snapshot(self) -> Snapshot:
        if self.snapshot_error is not None:
            raise self.snapshot_error
        now = self.clock() - self._began
        while len(self._rows) * HOP_S + 2 * HOP_S < now:
            self._estimate()
        rows = np.array(self._rows[-1000:]).reshape(-1, 6)
        rows = rows[rows[:, 0] > now - 20]
        settled = abs(self._estimate_db - self._gain_db) < 0.1
        state = "waiting" if not self._rows else "tracking" if settled else "converging"
        made = {
            "running": True, "ended": False, "clock": self.config.clock or "device", "description": "a fake",
            "sample_rate": 48000, "block": 256, "frames": int(now * 48000), "time_s": now, "state": state,
            "gain_db": self._estimate_db if self._rows else math.nan,
            "gain_linear": 10 ** (self._estimate_db / 20) if self._rows else math.nan,
            "std_db": self._rows[-1][4] if self._rows else math.nan, "delay_ms": 0.0,
            "polarity": -1 if self.config.polarity == "invert" else 1,
            "history": History(*rows.T), "input_peak": 0.4, "target_peak": 0.06,
            "xruns": 0, "dropped_frames": 0, "estimator_restarts": 0, "load": 0.003, "notices": tuple(self.notices),
            "frames_per_second": 48000.0, "estimates_per_second": 46.9, "estimate_age_s": 0.012,
        }  # fmt: skip
        self.notices.clear()
        return Snapshot(**(made | self.faults))

    def _estimate(self) -> None:
        if not self._frozen:
            self._estimate_db += (self._gain_db - self._estimate_db) * (1 - math.exp(-4 * HOP_S / SETTLE_S))
        distance = abs(self._gain_db - self._estimate_db)
        std_db = 0.003 + 0.3 * distance + 0.002 * abs(self._random.standard_normal())
        optimum = self._gain_db + 0.01 * self._random.standard_normal()
        time_s = len(self._rows) * HOP_S
        self._rows.append((time_s, self._gain_db, self._estimate_db, optimum, std_db, distance))
