"""Status strip at the bottom: format, xruns, load, estimator, clock, losses; faults are bold."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel

from gui.theme import set_look, tabular, text_width
from rtgain import number_format

if TYPE_CHECKING:
    from rtgain.records.snapshot import Snapshot

LOAD_LIMIT = 0.8
"""Share of the block duration from which the load counts as a fault."""


@dataclass(frozen=True)
class StatusItem:
    """Entry of the strip: text, and whether it reports a fault."""

    text: str
    fault: bool = False


def status_items(snapshot: "Snapshot") -> dict[str, StatusItem]:
    """Return the entries for `snapshot`, by the names of `WIDEST_TEXT`."""
    clipped = snapshot.clipped_frames
    clock = "device" if snapshot.clock == "device" else "clock"
    clock_rate = number_format.format_percent(snapshot.clock_rate_ratio, 0)
    deviation = "slow" if snapshot.clock_rate_ratio < 1 else "fast"
    age = number_format.format_duration(snapshot.estimate_age_s)
    block_s = snapshot.block / snapshot.sample_rate
    rate = number_format.format_sample_rate(snapshot.sample_rate)
    estimates = number_format.format_number(snapshot.estimates_per_second, 0)
    return {
        "format": StatusItem(f"{rate} · {snapshot.block} frames · {1000 * block_s:.1f} ms"),
        "xruns": StatusItem(f"xruns {snapshot.xruns}", snapshot.xruns > 0),
        "load": StatusItem(f"DSP load {number_format.format_percent(snapshot.load, 1)}", snapshot.load > LOAD_LIMIT),
        "estimator": StatusItem(f"estimator {estimates}/s, {age} old", snapshot.estimate_is_stale),
        "clock_rate": StatusItem(
            f"{clock} at {clock_rate}{f', {deviation}' if snapshot.clock_rate_is_wrong else ''}",
            snapshot.clock_rate_is_wrong,
        ),
        "dropped": StatusItem(f"dropped {snapshot.dropped_frames} frames", snapshot.dropped_frames > 0),
        "restarts": StatusItem(f"restarts {snapshot.estimator_restarts}", snapshot.estimator_restarts > 0),
        "clipped": StatusItem(f"input clips {clipped}" if clipped else "", clipped > 0),
    }


WIDEST_TEXT = {
    "format": "",
    "xruns": "xruns 88",
    "load": "DSP load 8.8 %",
    "estimator": "estimator 88/s, 888 ms old",
    "clock_rate": "device at 88 %, slow",
    "dropped": "dropped 888 frames",
    "restarts": "restarts 8",
    "clipped": "",
}
"""Text that determines the minimum width of each entry, without faults; longer texts widen it."""

TOOLTIPS = {
    "format": "Sample rate, and frames and duration of one block",
    "xruns": "Blocks that were late; each is an audible gap in the output",
    "load": "Processing time as a share of the block duration",
    "estimator": "Estimates per second, and age of the newest",
    "clock_rate": "Measured sample rate relative to the nominal rate",
    "dropped": "Frames that did not reach the estimator: underruns and overruns",
    "restarts": "Restarts of the estimator process after a crash",
    "clipped": "Samples of device inputs at full scale",
}


class StatusStrip(QFrame):
    """Shows `status_items`; unknown values are dashes."""

    def __init__(self) -> None:
        super().__init__()
        self.labels: dict[str, QLabel] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 0)
        row.setSpacing(12)
        for name, widest in WIDEST_TEXT.items():
            label = QLabel(number_format.UNKNOWN if name == "format" else "")
            label.setProperty("look", "muted")
            label.setFont(tabular(label.font(), points=label.font().pointSizeF() - 1))
            label.setToolTip(TOOLTIPS[name])
            if widest:
                label.setMinimumWidth(text_width(tabular(label.font(), bold=True), widest))
            self.labels[name] = label
            row.addWidget(label)
            if name != tuple(WIDEST_TEXT)[-1]:
                row.addStretch(1)

    def show_snapshot(self, snapshot: "Snapshot") -> None:
        """Show all entries for `snapshot`."""
        self.labels["format"].setToolTip(f"{TOOLTIPS['format']}\n{snapshot.description}")
        for name, item in status_items(snapshot).items():
            label = self.labels[name]
            set_look(label, "fault" if item.fault else "muted")
            label.setText(item.text)
            label.setAccessibleName(item.text)
