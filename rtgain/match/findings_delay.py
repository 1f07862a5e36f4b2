"""Findings about the delay: a clock that drifts, jumps, and channels with a delay of their own."""

import math
from collections.abc import Sequence

from rtgain.number_format import format_number, format_time_ms
from rtgain.records.delay_curve import DelayCurve
from rtgain.records.finding import Finding

MIN_CHANNEL_DELAY_FRAMES = 0.1
"""Difference between the delays of two channels from which it is a finding."""

MS_PER_HOUR_PER_PPM = 3.6
"""Delay in ms that a drift of 1 ppm adds per hour."""

MIN_MS_PER_HOUR = 0.1
"""Drift that a sentence states."""

LISTED_CHANGES = 3
"""Largest number of changes of the drift that a sentence lists; of more it states the range of the delay."""

LISTED_JUMPS = 3
"""Jumps whose times are listed in a sentence."""


def delay_findings(
    curve: DelayCurve | None, channel_delays_frames: Sequence[float], sample_rate: int, duration_s: float
) -> list[Finding]:
    """Make the findings of a match, most important first.

    `curve` is None if the delay does not move. `channel_delays_frames` are the delays of the channels, NaN for unknown
    ones. `duration_s` is the time over which a drift adds up.
    """
    findings = []
    if curve is not None:
        findings += _jumps(curve, sample_rate) + _drift(curve, duration_s)
    return findings + _channels(channel_delays_frames, sample_rate)


def _drift(curve: DelayCurve, duration_s: float) -> list[Finding]:
    ppm, std_ppm, changes = curve.drift_ppm, curve.drift_std_ppm, curve.drift_changes
    values = {
        "ppm": ppm,
        "std_ppm": std_ppm,
        "change_times_s": [change.time_s for change in changes],
        "changed_ppm": [change.after_ppm for change in changes],
    }
    if len(changes) > LISTED_CHANGES:
        delays_ms = [1e3 * curve.delay_at_s(change.time_s) for change in changes]
        text = (
            "The two drift apart, and not evenly, as a tape and a digital recorder do: the delay lies between "
            f"{format_number(min(delays_ms), 1)} and {format_number(max(delays_ms), 1)} ms."
        )
        return [Finding("clock-drift", text, values)]
    if changes:
        later = [f"from {format_time_ms(c.time_s)} on {_hourly(c.after_ppm)}" for c in changes]
        text = (
            "The two drift apart, and not evenly, as two devices without a common clock do: at first "
            f"{_hourly(changes[0].before_ppm)}, {', '.join(later)}."
        )
        return [Finding("clock-drift", text, values)]
    if ppm == 0.0:
        return []
    moved_ms = abs(1e-3 * ppm * duration_s)
    hourly_ms = MS_PER_HOUR_PER_PPM * abs(ppm)
    text = (
        f"The two drift apart: the target gets {format_number(moved_ms, 1)} ms {'later' if ppm > 0.0 else 'earlier'} "
        f"over the recording ({format_number(hourly_ms, 0 if hourly_ms >= 100.0 else 1)} ms per hour), as two devices "
        "without a common clock do."
    )
    return [Finding("clock-drift", text, values)]


def _hourly(ppm: float) -> str:
    """Movement of the target in an hour: ``the target gets 216 ms later per hour``."""
    hourly_ms = MS_PER_HOUR_PER_PPM * abs(ppm)
    if hourly_ms < MIN_MS_PER_HOUR:
        return "both keep together"
    amount = format_number(hourly_ms, 0 if hourly_ms >= 100.0 else 1)
    return f"the target gets {amount} ms {'later' if ppm > 0.0 else 'earlier'} per hour"


def _jumps(curve: DelayCurve, sample_rate: int) -> list[Finding]:
    jumps = curve.jumps
    if not jumps:
        return []
    times = [format_time_ms(jump.time_s) for jump in jumps]
    listed = ", ".join(times[:LISTED_JUMPS]) + (" and later" if len(times) > LISTED_JUMPS else "")
    missing_ms, inserted_ms = (
        sum(1e3 * sign * jump.jump_s for jump in jumps if sign * jump.jump_s > 0.0) for sign in (-1.0, 1.0)
    )
    amounts = [
        f"{format_number(amount_ms, 1)} ms {text}"
        for amount_ms, text in ((missing_ms, "of the dry recording are missing"), (inserted_ms, "are inserted"))
        if amount_ms > 0.0
    ]
    text = (
        f"The target jumps in time {'once' if len(jumps) == 1 else f'{len(jumps)} times'}, at {listed}: "
        f"{' and '.join(amounts)} in it."
    )
    samples = [round(jump.jump_s * sample_rate, 3) for jump in jumps]
    return [Finding("delay-jump", text, {"times_s": [jump.time_s for jump in jumps], "jumps_samples": samples})]


def _channels(delays_frames: Sequence[float], sample_rate: int) -> list[Finding]:
    known = [delay for delay in delays_frames if math.isfinite(delay)]
    if len(known) < 2 or max(known) - min(known) <= MIN_CHANNEL_DELAY_FRAMES:
        return []
    difference_ms = 1e3 * (max(known) - min(known)) / sample_rate
    text = f"The channels of the target are up to {_milliseconds(difference_ms)} apart from each other."
    if len(delays_frames) == 2:
        late, early = ("right", "left") if delays_frames[1] > delays_frames[0] else ("left", "right")
        text = f"The target's {late} channel is {_milliseconds(difference_ms)} later than its {early} channel."
    delays_ms = [1e3 * delay / sample_rate if math.isfinite(delay) else None for delay in delays_frames]
    return [Finding("channel-delay", text, {"delays_ms": delays_ms})]


def _milliseconds(time_ms: float) -> str:
    """A time with three digits, but at most microseconds: a tenth of a frame counts."""
    return f"{format_number(time_ms, 3 if time_ms < 1.0 else 2 if time_ms < 10.0 else 1)} ms"
