"""The strip at the bottom: whether sound and estimate keep up; a fault stands in bold words."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel

from gui.theme import set_look, tabular, text_width
from rtgain import number_format
from rtgain.metering.rates import SPEED_TOLERANCE

if TYPE_CHECKING:
    from rtgain.records.snapshot import Snapshot

LOAD_LIMIT = 0.8


@dataclass(frozen=True)
class StatusItem:
    """One entry of the strip: its text, and whether it tells of a fault."""

    text: str
    fault: bool = False


def status_items(snapshot: "Snapshot") -> dict[str, StatusItem]:
    """The strip's entries for `snapshot`, by the names of `ROOM`."""
    speed = snapshot.frames_per_second / snapshot.sample_rate
    wrong_speed = math.isfinite(speed) and abs(speed - 1) > SPEED_TOLERANCE and snapshot.running
    what = "device" if snapshot.clock == "device" else "clock"
    age = number_format.format_duration(snapshot.estimate_age_s)
    block_s = snapshot.block / snapshot.sample_rate
    rate = number_format.format_sample_rate(snapshot.sample_rate)
    estimates = number_format.format_number(snapshot.estimates_per_second, 0)
    return {
        "format": StatusItem(f"{rate} · {snapshot.block} frames · {1000 * block_s:.1f} ms"),
        "xruns": StatusItem(f"xruns {snapshot.xruns}", snapshot.xruns > 0),
        "load": StatusItem(f"callback {number_format.format_percent(snapshot.load, 1)}", snapshot.load > LOAD_LIMIT),
        "estimator": StatusItem(f"estimator {estimates}/s, {age} old", snapshot.estimate_is_stale),
        "speed": StatusItem(
            f"{what} at {number_format.format_percent(speed, 0)}{_slow_or_fast(speed) if wrong_speed else ''}",
            wrong_speed,
        ),
        "dropped": StatusItem(f"dropped {snapshot.dropped_frames} frames", snapshot.dropped_frames > 0),
        "restarts": StatusItem(f"restarts {snapshot.estimator_restarts}", snapshot.estimator_restarts > 0),
    }


def _slow_or_fast(speed: float) -> str:
    return ", slow" if speed < 1 else ", fast"


ROOM = {
    "format": "",
    "xruns": "xruns 88",
    "load": "callback 8.8 %",
    "estimator": "estimator 88/s, 888 ms old",
    "speed": "device at 88 %, slow",
    "dropped": "dropped 888 frames",
    "restarts": "restarts 8",
}
"""The text that each entry is given room for, as much as it needs while all is well; it may grow beyond."""

MEANINGS = {
    "format": "Sample rate, and frames in one block of audio",
    "xruns": "Blocks of sound that came too late; where it is heard, each is a gap",
    "load": "Share of a block's time that making it takes",
    "estimator": "Estimates made in one second, and the age of the newest",
    "speed": "Frames that really pass in a second, against the sample rate",
    "dropped": "Frames that the estimator never saw because it was busy",
    "restarts": "How often the estimator's process ended by itself and was started again",
}


class StatusStrip(QFrame):
    """Shows `status_items`; what is not known yet stands as a dash."""

    def __init__(self) -> None:
        super().__init__()
        self.labels: dict[str, QLabel] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 0)
        row.setSpacing(12)
        for name, room in ROOM.items():
            label = QLabel(number_format.UNKNOWN if name == "format" else "")
            label.setProperty("look", "muted")
            label.setFont(tabular(label.font(), points=label.font().pointSizeF() - 1))
            label.setToolTip(MEANINGS[name])
            if room:
                label.setMinimumWidth(text_width(tabular(label.font(), bold=True), room))
            self.labels[name] = label
            row.addWidget(label)
            if name != tuple(ROOM)[-1]:
                row.addStretch(1)

    def show_snapshot(self, snapshot: "Snapshot") -> None:
        """Bring every entry up to date."""
        self.labels["format"].setToolTip(f"{MEANINGS['format']}\n{snapshot.description}")
        for name, reading in status_items(snapshot).items():
            label = self.labels[name]
            set_look(label, "fault" if reading.fault else "muted")
            label.setText(reading.text)
            label.setAccessibleName(reading.text)
