"""Session without audio for tests of the GUI: plausible estimates, and faults set by the test."""

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rtgain import __version__
from rtgain.config.estimator_settings import name_crc
from rtgain.config.session_config import SessionConfig
from rtgain.records.estimate import Estimate, State
from rtgain.records.history import History, Summary
from rtgain.records.level_match import LevelMatch
from rtgain.records.levels import Level, Loudness
from rtgain.records.loss_curves import LossCurves, gain_grid
from rtgain.records.recording_offset import RecordingOffset
from rtgain.records.scope import Scope
from rtgain.records.session_export import SessionExport
from rtgain.records.snapshot import ChannelCounts, Comparison, Snapshot
from rtgain.session.estimate_history import EstimateHistory
from rtgain.session.io_setup import SessionSource

RATE = 48000
WINDOW = 4096
HOP_S = 1024 / RATE
SETTLE_S = 0.4
LENGTH_S = 200.0
"""Length of every file in seconds."""


@dataclass
class FakeSession:
    """Has the methods of `rtgain.session.session.Session`; `clock` can be set by a test that stops time."""

    config: SessionConfig
    offset: RecordingOffset | None = None
    start_error: Exception | None = None
    snapshot_error: Exception | None = None
    target_error: Exception | None = None
    can_switch: bool = True
    """False if another target needs a new session."""

    clock: Any = time.monotonic
    calls: list[tuple[str, Any]] = field(default_factory=list)
    faults: dict[str, Any] = field(default_factory=dict)
    """Fields of the snapshot that the test sets."""

    notices: list[str] = field(default_factory=list)
    """Notices of the next snapshot."""

    sample_rate: int = RATE

    def __post_init__(self) -> None:
        self.started = False
        self.stopped = False
        self._rows: list[tuple[float, ...]] = []
        self._estimate_db = 0.0
        self._gain_db = self.config.gain_db
        self._random = np.random.default_rng(self.config.seed)
        self._frozen = False
        self._compare, self._loss = self.config.compare, self.config.loss
        self._sought_s = 0.0
        self.level_match = LevelMatch(self.config.level_match)
        self.channels = self.config.resolved_channels(2 if self.config.is_file else 0)

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

    def set_monitor(self, monitor: str) -> None:
        self.calls.append(("set_monitor", monitor))

    def set_level_match(self, mode: str) -> None:
        self.calls.append(("set_level_match", mode))
        self.level_match = replace(self.level_match, mode=mode)

    def set_level_differences(self, *, gain_db: float, loudness_lu: float, others: tuple[Any, ...] = ()) -> None:
        self.calls.append(("set_level_differences", (gain_db, loudness_lu)))
        self.level_match = replace(self.level_match, gain_db=gain_db, loudness_lu=loudness_lu, others=others)

    def open_target(self, config: SessionConfig, offset: RecordingOffset) -> SessionSource | None:
        if self.target_error is not None:
            raise self.target_error
        return SessionSource(None) if self.can_switch else None

    def play_target(self, config: SessionConfig, offset: RecordingOffset, opened: SessionSource, **levels: Any) -> None:
        self.config, self.offset = config, offset
        self.calls.append(("play_target", (config.target, offset, levels)))
        self.level_match = replace(self.level_match, **levels)

    @property
    def start_s(self) -> float:
        return self.config.start or 0.0

    @property
    def present_s(self) -> float:
        return self.start_s + self.clock() - self._began + self._sought_s

    def set_frozen(self, frozen: bool) -> None:
        self.calls.append(("set_frozen", frozen))
        self._frozen = frozen

    def reset_estimate(self, gain_db: float = 0.0) -> None:
        self.calls.append(("reset_estimate", gain_db))
        self._estimate_db = gain_db

    def set_estimator(self, **changes: Any) -> None:
        self.calls.append(("set_estimator", changes))
        self._compare, self._loss = changes.get("compare", self._compare), changes.get("loss", self._loss)

    def seek(self, time_s: float) -> None:
        self.calls.append(("seek", time_s))
        self._sought_s = time_s - (self.clock() - self._began)

    def export(self, config: SessionConfig) -> SessionExport:
        trace = EstimateHistory(RATE, self.channels)
        for time_s, true_db, est_db, opt_db, std_db, loss, squares_db, bound_db in self._rows:
            frame = time_s * RATE
            trace.add(
                Estimate(
                    frame, frame, true_db, est_db, opt_db, std_db, squares_db, bound_db, std_db, loss, State.TRACKING,
                    2, 0.0, 1, (est_db,) * self.channels, (1,) * self.channels, (0.0,) * self.channels,
                )
            )  # fmt: skip
        summary = Summary(
            __version__, config.input, config.target, self.channels, RATE, 1.0, config.processor, config.loss,
            config.optimizer, self._estimate_db, 1.0, 0.01, 0.0, 0.0, 1, "tracking",
            [self._estimate_db] * self.channels,
            [1] * self.channels, None, None, None, len(self._rows), RATE, 0, 0, 1.0, 80.0,
        )  # fmt: skip
        return SessionExport(config, RATE, trace.to_array(), trace.latest(), summary)

    def snapshot(self, *, scope: bool = False) -> Snapshot:
        if self.snapshot_error is not None:
            raise self.snapshot_error
        now = self.clock() - self._began
        while len(self._rows) * HOP_S + 2 * HOP_S < now:
            self._estimate()
        rows = np.array(self._rows[-1000:]).reshape(-1, 8)
        rows = rows[rows[:, 0] > now - 20]
        settled = abs(self._estimate_db - self._gain_db) < 0.1
        state = "waiting" if not self._rows else "tracking" if settled else "converging"
        made = {
            "running": True, "is_finished": False, "clock": self.config.clock or "device", "description": "a fake",
            "channels": self.channels, "channel_counts": ChannelCounts(0, 0, 0),
            "sample_rate": RATE, "block": 256, "frames": int(now * RATE), "time_s": now, "state": state,
            "position_s": now + self._sought_s, "start_s": self.config.start or 0.0,
            "length_s": LENGTH_S if self.config.is_file else None,
            "gain_db": self._estimate_db if self._rows else math.nan,
            "gain_linear": 10 ** (self._estimate_db / 20) if self._rows else math.nan,
            "std_db": self._rows[-1][4] if self._rows else math.nan, "delay_ms": 0.0, "drift_ppm": 0.0,
            "polarity": -1 if self.config.polarity == "invert" else 1,
            "channel_gains_db": (self._estimate_db if self._rows else math.nan,) * self.channels,
            "channel_polarities": (-1 if self.config.polarity == "invert" else 1,) * self.channels,
            "reference_gain_db": self._gain_db,
            "history": history_of(rows, self.channels),
            "comparisons": tuple(comparison(entry, rows) for entry in self._compare),
            "curves": self._curves() if self._rows else None,
            "scope": self._scope(now) if scope and now * RATE >= WINDOW else None,
            "levels": {name: level_of(peak, self.channels) for name, peak in (
                ("dry", 0.4), ("target", 0.4 * self._gain), ("matched", 0.4 * 10 ** (self._estimate_db / 20)),
                ("difference", 0.4 * abs(self._gain - 10 ** (self._estimate_db / 20))),
            )},
            "level_match": self.level_match, "response": None,
            "clipped_frames": 0, "xruns": 0, "dropped_frames": 0, "estimator_restarts": 0, "load": 0.003,
            "notices": tuple(self.notices), "frames_per_second": 48000.0, "estimates_per_second": 46.9,
            "estimate_age_s": 0.012, "hop_s": HOP_S, "equalizer": None,
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
        least_squares = self._gain_db + 0.02 * self._random.standard_normal()
        row = (time_s, self._gain_db, self._estimate_db, optimum, std_db, distance, least_squares, 0.002)
        self._rows.append(row)

    @property
    def _gain(self) -> float:
        return 10 ** (self._gain_db / 20)

    def _curves(self) -> LossCurves:
        """Both losses are piecewise linear in the gain; only the waveform loss depends on polarity."""
        gain = gain_grid(2.0 if self._gain > 0.6 else 1.0 if self._gain > 0.3 else 0.5)
        polarity = -1 if self.config.polarity == "invert" else 1
        here = polarity * 10 ** (self._estimate_db / 20)

        def loss(at: Any) -> Any:
            return np.abs(np.abs(at) / self._gain - 1)

        def waveform(at: Any) -> Any:
            return np.abs(at / (polarity * self._gain) - 1)

        center = RATE * self._rows[-1][0]
        at_estimate = here, float(loss(here)), float(waveform(here))
        return LossCurves(gain, loss(gain), waveform(gain), *at_estimate, center, name_crc(self._loss))

    def _scope(self, now: float) -> Scope:
        """Make a tone of 600 Hz over a falling spectrum."""
        time_s = now + np.arange(-WINDOW, 0) / RATE
        dry = (0.4 * np.sin(2 * np.pi * 600 * time_s)).astype(np.float32)
        frequency_hz = np.geomspace(20, RATE / 2, 300)
        dry_db = -50 - 10 * np.log10(frequency_hz / 20) + 40 * np.exp(-((np.log(frequency_hz / 600) / 0.02) ** 2))
        gain, estimate = np.float32(self._gain), np.float32(10 ** (self._estimate_db / 20))
        dry, dry_db = np.stack([dry] * self.channels), np.stack([dry_db] * self.channels)
        return Scope(
            dry, gain * dry, estimate * dry, frequency_hz, dry_db, dry_db + self._gain_db, dry_db + self._estimate_db
        )


def history_of(rows: np.ndarray, channels: int = 1) -> History:
    """Make the history of rows of time, reference gain, estimate and the further fields, the same in all channels."""
    gains_db = np.stack([rows[:, 2]] * channels)
    return History(*rows.T, gains_db, np.ones_like(gains_db))


def comparison(entry: str, rows: np.ndarray) -> Comparison:
    """Make a comparison that oscillates by 1 dB around the estimate."""
    loss, optimizer = entry.split("/")
    gains_db = rows[:, 2] + np.sin(2 * np.pi * rows[:, 0])
    history = history_of(np.column_stack([rows[:, :2], gains_db, rows[:, 3:]]))
    gain_db = float(gains_db[-1]) if len(gains_db) else math.nan
    return Comparison(entry, loss, optimizer, history, gain_db, "converging" if len(rows) else "waiting")


def level_of(peak: float, channels: int = 1) -> Level:
    """Return the level of a sine with peak `peak` in all channels."""
    peak_dbfs = 20 * math.log10(peak) if peak else -math.inf
    lufs = peak_dbfs - 3.7 + 10 * math.log10(channels)
    return Level((peak_dbfs,) * channels, (peak_dbfs - 3.01,) * channels, Loudness(lufs, lufs, lufs, 0.0, peak_dbfs))
