"""Findings of a match: the differences between two recordings beyond one gain, each as a sentence with its numbers.

One function per kind, which returns None where the recordings do not differ in this way. `rtgain bench findings`
measures the limits of detection, and that pairs that differ by gain, delay, polarity and noise have no other finding.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from rtgain.dsp.response import band_edges
from rtgain.match.analysis import BANDS_PER_OCTAVE, Complex, PairSpectra, Real, ratio_db
from rtgain.match.gain_model import SIGMAS, GainModel, GainMotion, LevelCurve
from rtgain.match.passages import Passages
from rtgain.match.residual import Residual, power_over_windows
from rtgain.match.result import ChannelMatch
from rtgain.number_format import format_number, format_time_ms
from rtgain.records.finding import Finding, FindingKind
from rtgain.records.match_sentences import SAME_LEVEL_DB, comparative
from rtgain.records.response import Response

MAX_STRAIGHT_SHARE = 0.999
"""Share of both channels, each explained by its own dry channel, above which they are not swapped."""

MIN_COHERENT_FRACTION = 0.5
"""Share of the target's power that the dry recording must explain; otherwise it is a different recording."""

MAX_SWAPPED_RATIO = 0.25
"""Unexplained power with the channels swapped, relative to that without, below which they are swapped."""

MAX_MIXED_RATIO = 0.25
"""Unexplained power with both channels of the dry recording, relative to that with the own one, below which the target
mixes them."""

MIN_CLEAR_POLARITY = 0.5
"""Share of the cross-spectrum that must have one sign, for a polarity of swapped channels."""

MIN_OTHER_SHARE = 1e-6
"""Share of a channel's power that the other one does not have, from which it is another sound."""

MAX_MONO_SHARE = 1e-4
"""Power of the difference of the target's channels, relative to their own, up to which it is mono."""

MIN_BALANCE_DB = 0.05

MIN_MOTION_DB = 0.2

STEP_WINDOWS = 5
"""Number of windows on either side of a step, over which the gain must be constant."""

MIN_EQUALIZATION_DB = 0.25
"""Distance of the response from the gain in dB from which it is equalized."""

MIN_EQUALIZATION_WITH_MOTION_DB = 1.0
"""The same where the gain moves, or one and a half times the range of the level curve if that is larger.

Sound that is present only while the gain is high looks as if its band were louder.
"""

MIN_BAND_POWER_DB = -50.0
"""Power of a band of the dry recording relative to the whole from which its response counts."""

MIN_BAND_COHERENCE = 0.5
"""Coherence of a band from which its response counts."""

MAX_STOPPED_DB = -20.0
"""Response relative to the gain below which a band is missing in the target."""

STEPS_PER_OCTAVE = 12
"""Bands per octave in which the end of the target's bandwidth is looked for."""

MIN_STOPPED_POWER_DB = -81.0
"""Power of such a band of the dry signal relative to the whole from which its absence counts."""

MAX_BANDWIDTH_SHARE = 0.45
"""Frequency relative to the sample rate from which filters of converters may end any recording."""

BANDWIDTH_STEPS = 8
MIN_BANDWIDTH_STEP_DB = 12.0
"""Fall of the level in so many bands at the end of the target's bandwidth; a treble control falls less."""

MIN_SOUND_TO_NOISE = 4.0
"""Power of the dry recording relative to that of its noise above which it has sound that the target may lack."""

NOISE_BANDS = 3
"""Number of the target's highest bands in which noise of the dry recording is measured, for the bands above."""

MAX_STEEP_RATIO = 2.0 ** (1.0 / 6.0)
"""Ratio of the frequencies with 20 dB and 6 dB less level up to which the target ends at one frequency."""

MIN_DYNAMICS_DB = 0.5
"""Range of the level curve in dB from which the gain depends on the level."""

MIN_DYNAMICS_EXPLAINED = 0.7
"""Share of the gain's short-time variance that the level curve must explain."""

MIN_COMPRESSION_EXPLAINED = 0.4
"""The same where the gain falls with the level, and certainly moves or the target is distorted.

Behind limiters, whose gain changes within a window, it was at least 0.45; of a gain that moved on its own at most 0.2
(both on 20 recordings). What is missing of soft sound, behind noise or a codec, raises the gain with the level.
"""

MIN_COMPRESSION_SHARE = 1.0 / 3.0
"""Range of such a curve relative to that of the moving gain: next to a fade, a small part may follow the level."""

MIN_CUBIC_SHARE = 0.3
"""Share of the residual in the direction of the dry signal's cube from which it is distortion."""

MIN_DISTORTION_DB = -50.0
"""Level of the residual relative to the target from which distortion is reported."""

MIN_FOLLOWING_DB = -45.0
MIN_FOLLOWING_FILTERED_DB = -24.0
"""Level of a residual that follows the signal from which it is reported, without and with a filter in the target.

Sound that a filter rings out after the end of a window is not explained: −35 dB for a shelf of 6 dB at 200 Hz.
"""

MIN_NOISE_DB = -60.0
"""Level of the noise relative to the target from which it is reported: that of 16 bits is far lower."""

MIN_NOISE_FILTERED_DB = -38.0
"""The same behind an equalizer, whose ringing looks like noise where the level of the sound is constant."""

MIN_ECHO_DB = -25.0
"""Level of noise relative to the target from which it may be an echo later than those that `echo_share` shows."""

MIN_ECHO_SHARE = 0.5
"""Share of the residual that earlier sound explains from which it is an echo, and no noise."""

MIN_RINGING_ECHO_SHARE = 0.95
MIN_RINGING_BANDS_SHARE = 0.95
"""Shares of the residual that earlier sound explains, and that lies in equalized bands, from which a filter rings.

Behind bells of 9 to 12 dB at 60 to 200 Hz with an audible residual both were at least 0.98. Behind echoes and rooms,
the residual has sound of all bands: at most 0.86 lay in those that differ.
"""

MIN_NOISE_SHARE = 0.3
"""Share of the residual that must be noise."""

MIN_DC_OFFSET = 1e-3
"""Constant offset (−60 dBFS) from which it is reported."""

MIN_CLIPPED_WINDOWS = 2

REGIONS = ((250.0, "bass"), (500.0, "low mids"), (2000.0, "mids"), (4000.0, "high mids"), (math.inf, "treble"))
"""Names of regions of the spectrum, each up to its center frequency in Hz."""

AT_THE_END_S = 0.1
"""Distance from an end of the recordings in seconds up to which a passage reaches it."""

MAX_CURVE_POINTS = 200
"""Number of points of a gain curve in the values of a finding."""


@dataclass(frozen=True)
class PairFacts:
    """Facts about a pair before the pass over both recordings.

    Attributes:
        sample_rate: in Hz.
        frames: length of the common part.
        start_s: start of the common part in the dry recording.
        gain_db: gain of the match; NaN if there is none.
        matched_gain_db: gain of the matched signal: the mean of the channels' own gains.
        channels: each channel's own gain, polarity and delay.
        is_related: False if no alignment of the recordings was found.
        clipped_windows: number of windows in which one recording is clipped and the other is not.
        dry_plateaus, target_plateaus: plateaus at the extremes of each file.
        dry_silent, target_silent: True for channels that are silent in one recording only, ``(C,)``.
    """

    sample_rate: int
    frames: int
    start_s: float
    gain_db: float
    matched_gain_db: float
    channels: Sequence[ChannelMatch]
    is_related: bool
    clipped_windows: int
    dry_plateaus: int
    target_plateaus: int
    dry_silent: NDArray[np.bool_]
    target_silent: NDArray[np.bool_]


@dataclass(frozen=True)
class Evidence(PairFacts):
    """All that the findings are read from: the facts, and the results of the pass.

    Attributes:
        spectra, model, response, curve, motion, residual: the analysis; None where the sound does not allow it.
        coherent_fraction: share of the target's power that the dry recording explains; NaN if unknown.
        long_explained: the same share behind a filter as long as `LongCoherence`'s windows.
        passages: where one recording is silent, or the polarity changes; not part of the other measurements.
        noise_in_dry: True if the residual is noise in the dry recording, and not in the target.
    """

    spectra: PairSpectra | None
    model: GainModel | None = None
    response: Response | None = None
    curve: LevelCurve | None = None
    motion: GainMotion | None = None
    residual: Residual | None = None
    coherent_fraction: float = math.nan
    long_explained: float = math.nan
    passages: Passages | None = None
    noise_in_dry: bool = False

    @property
    def channel_gains_db(self) -> list[float]:
        """Gain of each channel in dB, NaN if unknown."""
        return [math.nan if channel.gain_db is None else channel.gain_db for channel in self.channels]

    @property
    def is_nonlinear(self) -> bool:
        """True if the cube of the dry signal explains the residual."""
        residual = self.residual
        return (
            residual is not None and residual.cubic_share > MIN_CUBIC_SHARE and residual.residual_db > MIN_DISTORTION_DB
        )

    @property
    def echo_share(self) -> float:
        """Share of the residual that earlier sound of the dry recording explains; 0 if unknown."""
        if self.residual is None or math.isnan(self.long_explained) or self.noise_in_dry:
            return 0.0
        remaining = self.residual.total / max(self.residual.target_power, 1e-30)
        return min(max(0.0, 1.0 - (1.0 - self.long_explained) / max(remaining, 1e-12)), 1.0)

    @property
    def has_echo(self) -> bool:
        """True if the residual is an echo, and too loud for the ringing of a filter."""
        residual = self.residual
        return (
            residual is not None
            and self.echo_share > MIN_ECHO_SHARE
            and residual.residual_db > MIN_FOLLOWING_FILTERED_DB
        )

    @property
    def response_object(self) -> dict[str, list[float | None]] | None:
        """The response as lists of numbers, None for unknown ones."""
        if self.response is None:
            return None
        return {
            "frequency_hz": [_rounded(hertz, 1) for hertz in self.response.frequency_hz],
            "gain_db": [_rounded(gain_db, 3) for gain_db in self.response.gain_db],
            "coherence": [_rounded(coherence, 4) for coherence in self.response.coherence],
        }


def find_differences(evidence: Evidence) -> list[Finding]:
    """Return all findings, most important first. Of different recordings only offsets and clipping are reported."""
    swapped = channels_swapped(evidence)
    mixed = None if swapped else channels_mixed(evidence)
    different = None if swapped or mixed else different_recording(evidence)
    findings = [different, swapped, mixed, dc_offset(evidence), clipping(evidence)]
    if swapped:
        findings.append(channel_polarity(swapped_polarities(evidence)))
    elif different is None and mixed is None and math.isfinite(evidence.gain_db):
        dynamic = dynamics(evidence)
        # A distorted gain moves with the level too, if not along one curve. An echo moves it in pauses.
        moving = None if dynamic or evidence.is_nonlinear or evidence.has_echo else moving_gain(evidence)
        band_limit = bandwidth(evidence)
        equalized = equalization(
            evidence,
            moves=bool(dynamic or moving or evidence.is_nonlinear),
            limit_hz=math.inf if band_limit is None else band_limit.values["frequency_hz"] or 0.0,
        )
        is_filtered = equalized is not None or band_limit is not None
        findings += [
            channel_polarity([channel.polarity for channel in evidence.channels]),
            polarity_change(evidence),
            *silent_channels(evidence),
            *silent_passages(evidence),
            channel_balance(evidence, moves=bool(dynamic or moving or evidence.is_nonlinear)),
            moving,
            equalized,
            band_limit,
            dynamic,
            distortion(evidence, is_filtered=is_filtered, moves=bool(dynamic or moving)),
            noise(evidence, is_filtered=is_filtered),
        ]
    return by_importance([finding for finding in findings if finding is not None])


def by_importance(findings: list[Finding]) -> list[Finding]:
    """Sort findings in the order of `FindingKind`."""
    order: tuple[FindingKind, ...] = get_args(FindingKind)
    return sorted(findings, key=lambda finding: order.index(finding.kind))


def different_recording(evidence: Evidence) -> Finding | None:
    """Report that no delay explains half of the target."""
    fraction = evidence.coherent_fraction
    if evidence.is_related and not fraction < MIN_COHERENT_FRACTION:
        return None
    text = "The target is not this recording with another level: it may be another take, or changed in speed or pitch."
    return Finding("different-recording", text, {"coherent_fraction": _rounded(fraction, 3)})


def channels_swapped(evidence: Evidence) -> Finding | None:
    """Report that the left channel explains the right one and the reverse."""
    spectra = evidence.spectra
    if spectra is None or spectra.cross.shape[1] != 2 or not spectra.target_power.any():
        return None
    dry, target = spectra.matched_power.sum(axis=0), spectra.target_power.sum(axis=0)
    straight = _coherent_share(spectra.cross.sum(axis=0), dry, target)
    swapped = _coherent_share(spectra.swapped_cross, dry[::-1], target)
    if (straight > MAX_STRAIGHT_SHARE).all():  # channels that are equal explain each other as well
        return None
    if swapped.min() < MIN_COHERENT_FRACTION or ((1.0 - swapped) > MAX_SWAPPED_RATIO * (1.0 - straight)).any():
        return None
    return Finding("channels-swapped", "Left and right are swapped in the target.", {})


def _coherent_share(cross: Complex, dry: Real, target: Real) -> Real:
    """Share of each channel's target power that the dry signal explains with one response per band, ``(C,)``."""
    tiny = np.finfo(np.float64).tiny
    explained = np.abs(cross) ** 2 / np.maximum(dry.astype(np.float64), tiny)
    share: Real = np.minimum(explained.sum(axis=1) / np.maximum(target.sum(axis=1, dtype=np.float64), tiny), 1.0)
    return share


def swapped_polarities(evidence: Evidence) -> list[int]:
    """Return the polarity of each channel of a target with swapped channels; 0 if it is not clear."""
    assert evidence.spectra is not None
    cross = evidence.spectra.swapped_cross.sum(axis=1)
    is_clear = np.abs(cross.real) > MIN_CLEAR_POLARITY * np.abs(evidence.spectra.swapped_cross).sum(axis=1)
    own = np.array([channel.polarity or 1 for channel in evidence.channels])  # that the matched signal has
    return [int(polarity) for polarity in np.where(is_clear, np.sign(cross.real) * own[::-1], 0)]


def channels_mixed(evidence: Evidence) -> Finding | None:
    """Report that the target has both channels of the dry recording in one, as a mono mix has."""
    spectra = evidence.spectra
    if spectra is None or spectra.cross.shape[1] != 2:
        return None
    target, dry = spectra.target_spectra, spectra.matched_spectra
    own = _without(target, dry)
    other = _without(dry[:, ::-1], dry)
    has_other = power_over_windows(other) > MIN_OTHER_SHARE * power_over_windows(dry[:, ::-1])
    both = _without(own, np.where(has_other, other, 0.0))
    target_power, own_power, both_power = (float(power_over_windows(each).sum()) for each in (target, own, both))
    if own_power <= 10.0 ** (MIN_NOISE_DB / 10.0) * target_power or both_power > MAX_MIXED_RATIO * own_power:
        return None
    difference = float(power_over_windows(target[:, :1] - target[:, 1:]).sum())
    is_mono = difference <= MAX_MONO_SHARE * target_power
    text = (
        "The target is mono: it is a mix of the left and the right channel of the dry recording."
        if is_mono
        else "The target mixes left and right: its channels have sound of the other channel of the dry recording, as "
        "behind a control of the stereo width."
    )
    values = {
        "gains_db": [_rounded(gain_db, 4) for gain_db in evidence.channel_gains_db],
        "std_db": None,
        "is_mixed": True,
        "is_mono": is_mono,
    }
    return Finding("channel-balance", text, values)


def _without(spectra: Complex, explaining: Complex) -> Complex:
    """Subtract what other spectra, ``(N, C, K)`` as well, explain with one response over all windows."""
    cross = np.einsum("nck,nck->ck", explaining.conj(), spectra)
    factor = cross / np.maximum(power_over_windows(explaining), np.finfo(np.float64).tiny)
    rest: Complex = spectra - factor * explaining
    return rest


def channel_polarity(polarities: list[int]) -> Finding | None:
    """Report that some channels are inverted and others are not."""
    if not {1, -1} <= set(polarities):
        return None
    inverted = [name for name, polarity in zip(channel_names(polarities), polarities, strict=True) if polarity < 0]
    others = "the other one is" if len(polarities) == 2 else "the others are"
    verb = "is" if len(inverted) == 1 else "are"
    text = f"{_capitalized(_listed(inverted))} {verb} upside down (inverted polarity); {others} not."
    return Finding("channel-polarity", text, {"polarities": polarities})


def polarity_change(evidence: Evidence) -> Finding | None:
    """Report that the polarity changes in the middle of the recording."""
    passages = evidence.passages
    if passages is None or not passages.polarity_changes_s:
        return None
    times_s = [evidence.start_s + time_s for time_s in passages.polarity_changes_s]
    listed = _listed([format_time_ms(time_s) for time_s in times_s[:3]]) + (" and later" if len(times_s) > 3 else "")
    text = f"The target is turned upside down (inverted polarity) in the middle of the recording, at {listed}."
    values = {
        "polarities": [channel.polarity for channel in evidence.channels],
        "change_times_s": [_rounded(time_s, 3) for time_s in times_s],
    }
    return Finding("channel-polarity", text, values)


def silent_channels(evidence: Evidence) -> list[Finding]:
    """Report channels that are silent in one recording and not in the other."""
    findings = []
    recordings = ("dry recording", "dry", evidence.dry_silent), ("target", "target", evidence.target_silent)
    for name, file, silent in recordings:
        if not silent.any():
            continue
        names = [
            channel for channel, is_silent in zip(channel_names(silent.tolist()), silent, strict=True) if is_silent
        ]
        other = "target" if file == "dry" else "dry recording"
        text = (
            f"{_capitalized(_listed(names))} of the {name} {'is' if len(names) == 1 else 'are'} silent; the {other} "
            "has sound there."
        )
        values = {
            "gains_db": [_rounded(gain_db, 4) for gain_db in evidence.channel_gains_db],
            "std_db": None,
            "silent_file": file,
        }
        findings.append(Finding("channel-balance", text, values))
    return findings


def silent_passages(evidence: Evidence) -> list[Finding]:
    """Report that one recording is silent for a while, and the other is not."""
    passages = evidence.passages
    if passages is None:
        return []
    findings = []
    end_s = evidence.frames / evidence.sample_rate
    recordings = (
        ("target", "dry recording", passages.target_silent),
        ("dry recording", "target", passages.dry_silent),
    )
    for name, other, runs in recordings:
        if not runs:
            continue
        listed = [_passage(evidence.start_s, begin_s, end_s - run_end_s, run_end_s) for begin_s, run_end_s in runs[:3]]
        text = (
            f"The {name} is silent {_listed(listed)}{' and later' if len(runs) > 3 else ''}, while the {other} goes on."
        )
        values = {
            "low_db": None,
            "high_db": _rounded(evidence.gain_db, 3),
            "range_db": None,
            "silent_file": "target" if name == "target" else "dry",
            "silent_from_s": [_rounded(evidence.start_s + begin_s, 3) for begin_s, _ in runs],
            "silent_to_s": [_rounded(evidence.start_s + min(run_end_s, end_s), 3) for _, run_end_s in runs],
        }
        findings.append(Finding("moving-gain", text, values))
    return findings


def _passage(start_s: float, begin_s: float, remaining_s: float, end_s: float) -> str:
    """``from 0:04.000 to 0:05.000``, or to the end, or up to a time."""
    begin, end = format_time_ms(start_s + begin_s), format_time_ms(start_s + end_s)
    if remaining_s < AT_THE_END_S:
        return f"from {begin} to the end"
    return f"up to {end}" if begin_s < AT_THE_END_S else f"from {begin} to {end}"


def channel_balance(evidence: Evidence, *, moves: bool) -> Finding | None:
    """Report that the channels have different gains; if the gain `moves`, by more than it moves."""
    spectra = evidence.spectra
    gains_db = evidence.channel_gains_db
    known = np.flatnonzero(np.isfinite(gains_db))
    if spectra is None or len(known) < 2:
        return None
    low, high = (int(known[choose(np.array(gains_db)[known])]) for choose in (np.argmin, np.argmax))
    difference_db = gains_db[high] - gains_db[low]
    remaining_db, std_db = _remaining_difference_db(spectra, low, high)
    limit_db = MIN_BALANCE_DB
    if moves and evidence.motion is not None:
        limit_db = max(limit_db, evidence.motion.range_db)
    if min(difference_db, difference_db + remaining_db) < max(limit_db, SIGMAS * std_db):
        return None
    names = channel_names(gains_db)
    text = (
        f"The balance differs: {names[high]} is {format_number(difference_db, 2)} dB louder than {names[low]} "
        "compared with the dry recording."
    )
    return Finding(
        "channel-balance", _capitalized(text),
        {"gains_db": [_rounded(gain_db, 4) for gain_db in gains_db], "std_db": _rounded(std_db, 4)},
    )  # fmt: skip


BALANCE_BLOCKS = 16


def _remaining_difference_db(spectra: PairSpectra, low: int, high: int) -> tuple[float, float]:
    """Difference in dB that remains between two channels behind their own gains, and its deviation."""
    parts = np.array_split(np.arange(len(spectra.times_s)), BALANCE_BLOCKS)
    differences_db, weights = [], []
    for part in parts:
        if not len(part):
            continue
        dry = spectra.matched_power[part][:, [low, high]].sum(axis=(0, 2), dtype=np.float64)
        aligned = np.abs(spectra.cross[part][:, [low, high]].sum(axis=0)).sum(axis=1)
        if (dry > 0.0).all() and (aligned > 0.0).all():
            differences_db.append(20.0 * math.log10(aligned[1] / dry[1] * dry[0] / aligned[0]))
            weights.append(dry.min())
    if len(weights) < 2:
        return 0.0, math.inf
    mean_db = float(np.average(differences_db, weights=weights))
    variance = float(np.average((np.array(differences_db) - mean_db) ** 2, weights=weights))
    return mean_db, math.sqrt(variance / (len(weights) - 1))


def moving_gain(evidence: Evidence) -> Finding | None:
    """Report that the gain moves over time, and the times of its steps."""
    motion = evidence.motion
    if motion is None:
        return None
    if motion.range_db < MIN_MOTION_DB or not motion.is_certain:
        return None
    mean_db = evidence.gain_db + response_offset_db(evidence)
    low_db, high_db = mean_db + motion.low_db, mean_db + motion.high_db
    steps = find_steps(motion)
    text = f"The level moves: the target is {_level_range(low_db, high_db)}"
    if steps:
        times = [
            f"{'up' if change_db > 0 else 'down'} {format_number(abs(change_db), 2)} dB "
            f"at {format_time_ms(evidence.start_s + time_s)}"
            for time_s, change_db in steps[:3]
        ]
        text += f", {_listed(times)}{' and more' if len(steps) > 3 else ''}"
    stride = max(1, math.ceil(len(motion.gain_db) / MAX_CURVE_POINTS))
    values = {
        "low_db": _rounded(low_db, 3),
        "high_db": _rounded(high_db, 3),
        "range_db": _rounded(motion.range_db, 3),
        "std_db": _rounded(motion.range_std_db, 4),
        "step_times_s": [_rounded(evidence.start_s + time_s, 3) for time_s, _ in steps],
        "step_changes_db": [_rounded(change_db, 3) for _, change_db in steps],
        "times_s": [_rounded(evidence.start_s + time_s, 3) for time_s in motion.times_s[::stride]],
        "curve_db": [_rounded(mean_db + gain_db, 3) for gain_db in motion.gain_db[::stride]],
    }
    return Finding("moving-gain", f"{text}.", values)


def _level_range(low_db: float, high_db: float) -> str:
    """``between 12.00 and 6.00 dB softer than the dry recording``."""
    low, high = (format_number(abs(gain_db), 2) for gain_db in (low_db, high_db))
    if abs(high_db) < SAME_LEVEL_DB:
        return f"between {low} dB {comparative(low_db)} than the dry recording and as loud"
    if abs(low_db) < SAME_LEVEL_DB:
        return f"between as loud as the dry recording and {high} dB {comparative(high_db)}"
    if low_db * high_db < 0.0:
        low += f" dB {comparative(low_db)}"
    return f"between {low} and {high} dB {comparative(high_db)} than the dry recording"


def find_steps(motion: GainMotion) -> list[tuple[float, float]]:
    """Find times in s at which the gain jumps between two constant values, each with its change in dB."""
    gain_db, width = motion.gain_db, STEP_WINDOWS
    if len(gain_db) < 2 * width + 2:
        return []
    steps: list[tuple[float, float]] = []
    # The windows next to a step contain both gains: one on either side is left out.
    centers = np.arange(width, len(gain_db) - width - 1)
    before = np.stack([gain_db[centers - offset] for offset in range(1, width + 1)])
    after = np.stack([gain_db[centers + offset] for offset in range(1, width + 1)])
    change = np.median(after, axis=0) - np.median(before, axis=0)
    scatter = np.maximum(np.ptp(before[1:], axis=0), np.ptp(after[1:], axis=0))
    doubts_db = 6.0 * motion.std_db + np.maximum(motion.above_db, motion.below_db)
    doubt_db = np.maximum(doubts_db[centers - width], doubts_db[centers + width])
    is_step = (np.abs(change) > np.maximum(MIN_MOTION_DB, doubt_db)) & (scatter < 0.1 * np.abs(change))
    index = 0
    while index < len(centers):
        if not is_step[index]:
            index += 1
            continue
        end = index
        while end < len(centers) and is_step[end]:
            end += 1
        middle_db = (before[0, index] + after[0, end - 1]) / 2.0
        nearest = index + int(np.abs(gain_db[centers[index:end]] - middle_db).argmin())
        steps.append((float(motion.times_s[centers[nearest]]), float(change[nearest])))
        index = end
    return steps


def response_offset_db(evidence: Evidence) -> float:
    """Mean of the response relative to the match's gain in dB, weighted by the power of the dry signal."""
    spectra, response = evidence.spectra, evidence.response
    if spectra is None or response is None:
        return 0.0
    power = spectra.matched_power.sum(axis=(0, 1), dtype=np.float64) * (response.coherence > MIN_BAND_COHERENCE)
    known = np.isfinite(response.gain_db) & (power > 0.0)
    if not known.any():
        return 0.0
    return float(np.average(response.gain_db[known] - evidence.gain_db, weights=power[known]))


def band_std_db(evidence_bins: Real, coherence: Real, windows: float) -> Real:
    """Standard deviation of a response in dB from its coherence (Bendat and Piersol, section 9.2)."""
    count = np.maximum(evidence_bins * windows / 1.6, 1.0)
    clipped = np.clip(coherence, 1e-9, 1.0)
    std: Real = 8.686 * np.sqrt((1.0 - clipped) / (2.0 * clipped * count))
    return std


def band_deviations(evidence: Evidence) -> tuple[Real, Real, Real] | None:
    """Distance of the response from the gain, least distance in doubt of its noise, and its deviation; ``(B,)`` each.

    Noise in the dry recording makes the response too low, by at most the coherence. What the model subtracted as such
    noise is in doubt as well. Seen from the target, all this is the other way round.
    """
    spectra, model, response = evidence.spectra, evidence.model, evidence.response
    if spectra is None or model is None or response is None:
        return None
    deviation_db = response.gain_db - evidence.matched_gain_db
    bins = np.diff(spectra.edges.bins, axis=1)[:, 0] * spectra.cross.shape[1]
    std_db = band_std_db(bins, response.coherence, float(model.counts.sum()))
    doubt_db = -20.0 * np.log10(np.maximum(response.coherence, 1e-10))
    seen = spectra.target_power if evidence.noise_in_dry else spectra.matched_power
    power = seen.mean(axis=0, dtype=np.float64).sum(axis=0)
    signal = np.maximum(power - model.dry_noise.sum(axis=0), 1e-5 * power)
    subtracted_db = 20.0 * np.log10(np.divide(power, signal, out=np.ones_like(power), where=signal > 0.0))
    if evidence.noise_in_dry:
        upper_db = deviation_db + subtracted_db
        lower_db = upper_db - doubt_db
    else:
        lower_db = deviation_db - subtracted_db
        upper_db = lower_db + doubt_db
    least_db = np.where(lower_db > 0.0, lower_db, np.minimum(upper_db, 0.0))
    return deviation_db, np.sign(least_db) * np.maximum(np.abs(least_db) - SIGMAS * std_db, 0.0), std_db


def equalization(evidence: Evidence, *, moves: bool, limit_hz: float) -> Finding | None:
    """Report that some bands below `limit_hz` have another gain than the whole.

    If the gain `moves`, only large differences count.
    """
    deviations = band_deviations(evidence)
    response = evidence.response
    if deviations is None or response is None or evidence.spectra is None:
        return None
    deviation_db, least_db, _ = deviations
    power = evidence.spectra.matched_power.sum(axis=(0, 1), dtype=np.float64)
    counts = np.isfinite(deviation_db) & (response.coherence >= MIN_BAND_COHERENCE)
    counts &= power > 10.0 ** (MIN_BAND_POWER_DB / 10.0) * power.sum()
    counts &= response.frequency_hz * 2.0 ** (1.0 / 6.0) < 0.99 * limit_hz  # the band at the limit is half empty
    limit_db = MIN_EQUALIZATION_DB
    if moves:
        range_db = max(
            0.0 if evidence.curve is None else evidence.curve.range_db,
            evidence.motion.range_db if evidence.motion is not None and evidence.is_nonlinear else 0.0,
        )
        limit_db = max(MIN_EQUALIZATION_WITH_MOTION_DB, 1.5 * range_db)
        offset_db = float(np.median(deviation_db[counts])) if counts.any() else 0.0
        deviation_db = deviation_db - offset_db
        least_db = np.where(np.sign(deviation_db) == np.sign(least_db - offset_db), least_db - offset_db, 0.0)
    differs = counts & (np.abs(least_db) > limit_db) & (np.abs(deviation_db) > limit_db)
    if not differs.any():
        return None
    regions = describe_regions(response.frequency_hz[counts], deviation_db[counts], differs[counts])
    values = {
        "frequency_hz": [_rounded(hertz, 1) for hertz in response.frequency_hz[counts]],
        "deviation_db": [_rounded(value, 2) for value in deviation_db[counts]],
    }
    return Finding("equalization", f"At one level the tone differs: {_listed(regions[:3])}.", values)


def describe_regions(frequency_hz: Real, deviation_db: Real, differs: NDArray[np.bool_]) -> list[str]:
    """Describe runs of bands on one side of the gain, the strongest first: ``bass 6.0 dB louder below 200 Hz``."""
    regions: list[tuple[float, str]] = []
    index = 0
    while index < len(differs):
        if not differs[index]:
            index += 1
            continue
        end, sign = index, np.sign(deviation_db[index])
        while end < len(differs) and np.sign(deviation_db[end]) == sign and abs(deviation_db[end]) > 0.1:
            end += 1
        run = slice(index, end)
        peak_db = float(deviation_db[run][np.abs(deviation_db[run]).argmax()])
        strong = index + np.flatnonzero(np.abs(deviation_db[run]) >= abs(peak_db) / 2.0)
        low_hz = _crossing_hz(frequency_hz, deviation_db, int(strong[0]), -1, peak_db / 2.0)
        high_hz = _crossing_hz(frequency_hz, deviation_db, int(strong[-1]), 1, peak_db / 2.0)
        is_lowest, is_highest = strong[0] <= 1, strong[-1] >= len(differs) - 2
        center_hz = math.sqrt(low_hz * high_hz)
        name = "treble" if is_highest else next(name for limit_hz, name in REGIONS if center_hz < limit_hz)
        where = (
            f"below {_hertz(high_hz)}" if is_lowest
            else f"above {_hertz(low_hz)}" if is_highest
            else f"between {_hertz(low_hz)} and {_hertz(high_hz)}"
        )  # fmt: skip
        amount = f"{format_number(abs(peak_db), 1)} dB {comparative(peak_db)}"
        regions.append((abs(peak_db), f"{name} up to {amount} {where}"))
        index = max(end, index + 1)
    return [text for _, text in sorted(regions, key=lambda region: -region[0])]


def _crossing_hz(frequency_hz: Real, deviation_db: Real, index: int, direction: int, level_db: float) -> float:
    """Interpolate where the response crosses a level between a band and its neighbor; the band's edge at the ends."""
    neighbor = index + direction
    if not 0 <= neighbor < len(frequency_hz):
        return float(frequency_hz[index] * 2.0 ** (direction / 6.0))
    change = deviation_db[neighbor] - deviation_db[index]
    share = float(np.clip((level_db - deviation_db[index]) / change, 0.0, 1.0)) if change else 0.5
    return float(frequency_hz[index] * (frequency_hz[neighbor] / frequency_hz[index]) ** share)


def bandwidth(evidence: Evidence) -> Finding | None:
    """Report that the target ends at a lower frequency than the dry recording."""
    spectra = evidence.spectra
    if evidence.response is None or spectra is None:
        return None
    edges = band_edges(spectra.matched_spectra.shape[-1], spectra.sample_rate, STEPS_PER_OCTAVE)
    dry, target = (
        (np.abs(signal) ** 2).sum(axis=(0, 1), dtype=np.float64)
        for signal in (spectra.matched_spectra, spectra.target_spectra)
    )
    dry_power, target_power = (np.add.reduceat(power, edges.bins.ravel())[::2] for power in (dry, target))
    has_sound = dry_power > 10.0 ** (MIN_STOPPED_POWER_DB / 10.0) * dry_power.sum()
    has_sound &= edges.centers_hz < MAX_BANDWIDTH_SHARE * spectra.sample_rate
    if evidence.noise_in_dry:
        noise = _noise_per_bin(dry, evidence.response, spectra.sample_rate)
        has_sound &= dry_power > MIN_SOUND_TO_NOISE * noise * np.diff(edges.bins)[:, 0]
    if not has_sound.any():
        return None
    # The target's power: noise above the end of its sound is sound, too.
    ratios_db = np.array([ratio_db(y, x) if x > 0.0 else -200.0 for x, y in zip(dry_power, target_power, strict=True)])
    last = int(np.flatnonzero(has_sound)[-1])
    first = last + 1
    while first > 0 and (ratios_db[first - 1] < MAX_STOPPED_DB or not has_sound[first - 1]):
        first -= 1
    before = first - BANDWIDTH_STEPS
    if first >= last or before < 0 or ratios_db[before] - ratios_db[first] < MIN_BANDWIDTH_STEP_DB:
        return None
    falls = np.flatnonzero(ratios_db[: first + 1] > -6.0)
    if not falls.size:
        return None
    limit_hz = float(edges.centers_hz[falls[-1]] * 2.0 ** (0.5 / STEPS_PER_OCTAVE))
    stopped_hz = max(limit_hz, float(edges.centers_hz[first] * 2.0 ** (-0.5 / STEPS_PER_OCTAVE)))
    text = f"The target ends at {_hertz(limit_hz)}: there is no sound above it, while the dry recording has some."
    if stopped_hz > MAX_STEEP_RATIO * limit_hz:
        text = (
            f"The target ends between {_hertz(limit_hz)} and {_hertz(stopped_hz)}: its level is 6 dB lower at the one, "
            "and at least 20 dB lower above the other, where the dry recording has sound."
        )
    return Finding("bandwidth", text, {"frequency_hz": _rounded(limit_hz, 0), "stopped_hz": _rounded(stopped_hz, 0)})


def _noise_per_bin(dry: Real, response: Response, sample_rate: int) -> float:
    """Power of noise of the dry recording per bin, in the highest bands in which the target has its sound.

    `dry` is the power of each bin.
    """
    edges = band_edges(len(dry), sample_rate, BANDS_PER_OCTAVE)
    incoherent = np.add.reduceat(dry, edges.bins.ravel())[::2] * (1.0 - response.coherence)
    coherent = np.flatnonzero(response.coherence >= MIN_BAND_COHERENCE)[-NOISE_BANDS:]
    return float(np.median((incoherent / np.diff(edges.bins)[:, 0])[coherent])) if coherent.size else 0.0


def dynamics(evidence: Evidence) -> Finding | None:
    """Report that the gain depends on the level, as behind a compressor, limiter, expander or gate."""
    curve, motion = evidence.curve, evidence.motion
    if curve is None or curve.range_db < MIN_DYNAMICS_DB:
        return None
    is_motion = motion is not None and motion.range_db >= MIN_MOTION_DB and motion.is_certain
    is_compressed = curve.slope < 0.0 and (evidence.is_nonlinear or is_motion)
    is_compressed &= motion is None or curve.range_db > MIN_COMPRESSION_SHARE * motion.range_db
    if curve.explained < (MIN_COMPRESSION_EXPLAINED if is_compressed else MIN_DYNAMICS_EXPLAINED):
        return None
    if evidence.is_nonlinear and curve.slope > 0.0:
        return None
    ratio = 1.0 / (1.0 + curve.slope)
    threshold_db = curve.threshold_db - evidence.matched_gain_db
    done, more, less = ("compressed", "loud", "soft") if curve.slope < 0.0 else ("expanded", "soft", "loud")
    text = (
        f"The target is {done}: {more} sound is turned down by up to {format_number(curve.range_db, 1)} dB more than "
        f"{less} sound"
    )
    kind = f"ratio {format_number(ratio, 1)}:1" if curve.slope < 0.0 else f"ratio 1:{format_number(1.0 / ratio, 1)}"
    limit = f" above {format_number(threshold_db, 0)} dBFS of the dry recording" if math.isfinite(threshold_db) else ""
    values = {
        "ratio": _rounded(ratio, 2),
        "threshold_dbfs": _rounded(threshold_db, 1),
        "range_db": _rounded(curve.range_db, 2),
        "detector": "peak" if curve.detector.is_peak else "rms",
        "attack_ms": _rounded(1e3 * curve.detector.attack_s, 0),
        "release_ms": _rounded(1e3 * curve.detector.release_s, 0),
        "explained": _rounded(curve.explained, 3),
    }
    return Finding("dynamics", f"{text} ({kind}{limit}).", values)


def distortion(evidence: Evidence, *, is_filtered: bool, moves: bool) -> Finding | None:
    """Report that the difference follows the signal. A gain that `moves` within windows leaves such a difference."""
    residual = evidence.residual
    if residual is None:
        return None
    following_db = ratio_db(residual.following, residual.target_power)
    is_nonlinear = evidence.is_nonlinear
    limit_db = MIN_FOLLOWING_FILTERED_DB if is_filtered else MIN_FOLLOWING_DB
    is_ringing = is_filtered and filter_rings(evidence)
    follows = not moves and following_db > limit_db and residual.following > SIGMAS * residual.following_std
    echo_db = residual.residual_db + 10.0 * math.log10(max(evidence.echo_share, 1e-10))
    is_echo = not is_nonlinear and evidence.echo_share > MIN_ECHO_SHARE and echo_db > limit_db
    if not is_nonlinear and (is_ringing or not (follows or is_echo)):
        return None
    level_db = residual.residual_db if is_nonlinear else echo_db if is_echo else following_db
    if is_nonlinear:
        text = f"The target is distorted: it has overtones that the dry recording does not have, {_relative(level_db)}."
    elif is_echo:
        text = f"The target has an echo, or the reverberation of a room, {_relative(level_db)}."
    else:
        text = (
            f"The target contains added sound that follows the music, {_relative(level_db)}, as an effect such as "
            "chorus adds it, or a format such as MP3."
        )
    values = {
        "level_db": _rounded(level_db, 1),
        "is_nonlinear": is_nonlinear,
        "cubic_share": _rounded(residual.cubic_share, 3),
        "echo_share": _rounded(evidence.echo_share, 3),
    }
    return Finding("distortion", text, values)


def filter_rings(evidence: Evidence) -> bool:
    """True if the residual is the ringing of an equalizer beyond the end of a window: in the bands that it changes."""
    deviations, response = band_deviations(evidence), evidence.response
    if deviations is None or response is None or evidence.spectra is None:
        return False
    power = evidence.spectra.target_power.sum(axis=(0, 1), dtype=np.float64) * (1.0 - response.coherence)
    differs = np.abs(np.nan_to_num(deviations[1])) > MIN_EQUALIZATION_DB
    in_bands = float(power[differs].sum()) > MIN_RINGING_BANDS_SHARE * float(power.sum())
    return in_bands and evidence.echo_share > MIN_RINGING_ECHO_SHARE


def noise(evidence: Evidence, *, is_filtered: bool) -> Finding | None:
    """Report noise whose level does not depend on the signal."""
    residual = evidence.residual
    if residual is None or residual.noise < SIGMAS * residual.noise_std or residual.noise <= 0.0:
        return None
    level_db = ratio_db(residual.noise, residual.target_power)
    least_db = MIN_NOISE_FILTERED_DB if is_filtered else MIN_NOISE_DB
    if level_db < least_db or residual.noise < MIN_NOISE_SHARE * residual.total:
        return None
    # An echo fills pauses, and distortion of a steady sound is as constant as noise.
    if evidence.echo_share > MIN_ECHO_SHARE or evidence.is_nonlinear:
        return None
    level_dbfs = 10.0 * math.log10(residual.noise) - (evidence.matched_gain_db if evidence.noise_in_dry else 0.0)
    name = "dry recording" if evidence.noise_in_dry else "target"
    what = "steady noise (or an echo)" if level_db > MIN_ECHO_DB and not evidence.noise_in_dry else "steady noise"
    text = f"The {name} has {what}, {_relative(level_db)} ({format_number(level_dbfs, 1)} dBFS)."
    values = {
        "file": "dry" if evidence.noise_in_dry else "target",
        "level_dbfs": _rounded(level_dbfs, 2),
        "level_db": _rounded(level_db, 2),
    }
    return Finding("noise", text, values)


def dc_offset(evidence: Evidence) -> Finding | None:
    """Report a constant offset in one of the recordings."""
    spectra = evidence.spectra
    if spectra is None:
        return None
    gain = 10.0 ** (evidence.matched_gain_db / 20.0)
    differences = spectra.target_means - spectra.matched_means
    windows = len(differences)
    means = differences.mean(axis=0)
    std = differences.std(axis=0) / math.sqrt(max(1, windows - 1) / 2.0)
    target, dry = spectra.target_means.mean(axis=0), spectra.matched_means.mean(axis=0) / gain
    largest = int(np.abs(means).argmax())
    is_in_target = 2.0 * abs(target[largest]) >= abs(dry[largest]) * gain
    offset = float(means[largest] if is_in_target else -means[largest] / gain)
    if windows < 4 or abs(means[largest]) < SIGMAS * std[largest] or abs(offset) < MIN_DC_OFFSET:
        return None
    name = "target" if is_in_target else "dry recording"
    text = (
        f"The waveform of the {name} lies {'above' if offset > 0.0 else 'below'} the center line (DC offset "
        f"{format_number(20.0 * math.log10(abs(offset)), 1)} dBFS). It is not heard, but takes headroom."
    )
    values = {
        "dry_offsets": [_rounded(value, 5) for value in dry],
        "target_offsets": [_rounded(value, 5) for value in target],
    }
    return Finding("dc-offset", text, values)


def clipping(evidence: Evidence) -> Finding | None:
    """Report that one of the recordings is clipped and the other is not."""
    if evidence.clipped_windows < MIN_CLIPPED_WINDOWS:
        return None
    is_target = evidence.target_plateaus >= evidence.dry_plateaus
    text = f"The {'target' if is_target else 'dry recording'} is clipped: its loudest peaks are cut off."
    values = {
        "file": "target" if is_target else "dry",
        "clipped_windows": evidence.clipped_windows,
        "dry_plateaus": evidence.dry_plateaus,
        "target_plateaus": evidence.target_plateaus,
    }
    return Finding("clipping", text, values)


def channel_names(channels: Sequence[object]) -> list[str]:
    """Return names for the channels of a recording in sentences."""
    if len(channels) == 2:
        return ["the left channel", "the right channel"]
    return [f"channel {index}" for index in range(1, len(channels) + 1)]


def _capitalized(text: str) -> str:
    return text[0].upper() + text[1:]


def _listed(texts: Sequence[str]) -> str:
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])} and {texts[-1]}"


def _relative(level_db: float) -> str:
    """``12.0 dB softer than its sound``, or louder if positive."""
    return f"{format_number(abs(level_db), 1)} dB {comparative(level_db)} than its sound"


def _hertz(frequency_hz: float) -> str:
    """A frequency with two digits: ``200 Hz``, ``2.5 kHz``, ``16 kHz``."""
    digits = 10.0 ** (math.floor(math.log10(frequency_hz)) - 1)
    rounded = round(frequency_hz / digits) * digits
    return f"{rounded / 1000.0:g} kHz" if rounded >= 1000.0 else f"{rounded:g} Hz"


def _rounded(value: float, digits: int) -> float | None:
    return round(float(value), digits) + 0.0 if math.isfinite(value) else None
