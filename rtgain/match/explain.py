"""Explanation of a match: one pass over the aligned recordings, what it finds, and how far one gain explains them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from rtgain.match.analysis import PairAnalysis, PairSpectra, Real
from rtgain.match.findings import (
    MIN_BAND_COHERENCE,
    MIN_COHERENT_FRACTION,
    MIN_NOISE_DB,
    Evidence,
    PairFacts,
    band_deviations,
    find_differences,
)
from rtgain.match.gain_model import GainModel, fit_gain_model, fit_level_curve, measure_motion, model_response
from rtgain.match.long_coherence import LongCoherence
from rtgain.match.passages import split_passages, without_channels
from rtgain.match.residual import MIN_WINDOWS, split_residual
from rtgain.records.finding import Finding

MOST_OF_THE_SOUND = 0.8
"""Share of the target's power whose gain two standard deviations contain."""

MAX_DISTORTION_DB = -12.0
"""Level of sound that follows the signal, relative to the target, above which one gain does not explain the target."""

MIN_NOISE_SHARE = 0.5
"""Least share of the residual that is noise of the dry recording if it is seen from the target."""

MAX_NOISE_TO_RESIDUAL = 12.5
"""Largest ratio (11 dB) of noise of the dry recording to what remains of the target.

Noise disturbs the prediction of the target by its own power in the bands that have sound. Constant sound that the
target lacks, such as that above its bandwidth, does not. The ratio was 0.3 to 11 of 30 dry recordings with noise 10 to
40 dB below the sound. It was above 400 of 6 targets with a steep low-pass, and from 15 on if they had noise as well.
"""

MAX_NOISE_DB = -9.5
"""The same of noise, which is measured to 0.5 dB: if it is louder, it may as well be a long echo or a room."""


@dataclass(frozen=True)
class Explanation:
    """Differences between two recordings.

    Attributes:
        evidence: the measurements behind the findings.
        findings: differences beyond one gain, most important first.
        residual_db: level of target − matched relative to the target; NaN if unknown.
        spread_db: standard deviation in dB by which bands and windows disagree about the gain; 0 if they do not.
        is_coherent: False if the dry recording explains less than half of the target, also with its channels mixed.
        is_interrupted: True if one recording or one of its channels is silent and the other is not, or if the polarity
            changes: no gain explains all of the target.
        is_one_gain: False if the channels are swapped or mixed, or if so much of the target follows the signal without
            being a part of it that no one gain explains it.
    """

    evidence: Evidence
    findings: list[Finding]
    residual_db: float
    spread_db: float
    is_coherent: bool
    is_interrupted: bool
    is_one_gain: bool


def explain(facts: PairFacts, chunks: Iterable[tuple[Real, Real]]) -> Explanation:
    """Explain a pair from chunks of its matched signal and its target, ``(C, frames)`` each."""
    analysis = PairAnalysis(facts.sample_rate, len(facts.channels), facts.frames)
    long_coherence = LongCoherence(facts.sample_rate, len(facts.channels))
    for matched, target in chunks:
        analysis.add(matched, target)
        long_coherence.add(matched, target)
    evidence = replace(_evidence(facts, analysis.finish()), long_explained=long_coherence.explained)
    findings = find_differences(evidence)
    kinds = {finding.kind for finding in findings}
    spread_db = _band_spread_db(evidence)
    if kinds & {"moving-gain", "dynamics"}:
        ranges_db = [finding.values["range_db"] for finding in findings if finding.kind in ("moving-gain", "dynamics")]
        # Two deviations on either side contain the whole range, and the gain of most of the sound.
        range_db = max((each_db for each_db in ranges_db if each_db is not None), default=0.0)
        spread_db = math.hypot(spread_db, max(_window_spread_db(evidence), range_db / 4.0))
    limits_db = {"distortion": MAX_DISTORTION_DB, "noise": MAX_NOISE_DB}
    is_modulated = any(
        finding.kind in limits_db and finding.values["level_db"] > limits_db[finding.kind] for finding in findings
    )
    is_mixed = any(finding.values.get("is_mixed", False) for finding in findings)
    return Explanation(
        evidence,
        findings,
        math.nan if math.isnan(facts.gain_db) else analysis.residual_db,
        spread_db,
        is_coherent=is_mixed or not evidence.coherent_fraction < MIN_COHERENT_FRACTION,
        is_interrupted=bool(facts.dry_silent.any()) or (evidence.passages is not None and evidence.passages.any),
        is_one_gain=not is_modulated and "channels-swapped" not in kinds and not is_mixed,
    )


def _evidence(facts: PairFacts, spectra: PairSpectra | None) -> Evidence:
    """Evaluate the pass over the recordings."""
    evidence = Evidence(**vars(facts), spectra=spectra)
    if spectra is None or not (spectra.matched_power.any() and spectra.target_power.any()):
        return evidence  # the power of a target at −600 dBFS is 0 in single precision
    passages, spectra = split_passages(without_channels(spectra, facts.dry_silent))
    evidence = replace(evidence, spectra=spectra, passages=passages)
    model = fit_gain_model(spectra)
    power = spectra.target_power.sum(axis=(1, 2), dtype=np.float64)
    if not model.counts.any():
        is_unrelated = len(power) >= MIN_WINDOWS and power.sum() > 0.0
        return replace(evidence, coherent_fraction=0.0 if is_unrelated else math.nan)
    modeled = _modeled(evidence, spectra, model, power)
    assert modeled.model is not None
    return replace(modeled, curve=fit_level_curve(spectra, modeled.model))


def _modeled(evidence: Evidence, spectra: PairSpectra, model: GainModel, power: Real) -> Evidence:
    """Add gain, response and residual; seen from the target, if there is noise in the dry recording.

    `power` is that of the target in each window.
    """
    response, motion = model_response(spectra, model, evidence.matched_gain_db), measure_motion(model, spectra.times_s)
    residual = split_residual(spectra, model)
    bands = spectra.target_power.sum(axis=(0, 1), dtype=np.float64)
    explained = float(np.average(model.coherence, weights=bands)) if residual is None else residual.coherent_fraction
    forward = replace(
        evidence, model=model, response=response, motion=motion, residual=residual,
        coherent_fraction=explained * float(power[model.counts].sum() / power.sum()),
    )  # fmt: skip
    if residual is None or residual.residual_db < MIN_NOISE_DB or forward.is_nonlinear:
        return forward
    # Where the noise is in the dry recording rather than in the target, the pair is seen from the target.
    backward_spectra = spectra.reversed()
    backward = fit_gain_model(backward_spectra)
    backward_residual = split_residual(backward_spectra, backward)
    if backward_residual is None:
        return forward
    residual_share = min(each.total / each.target_power for each in (residual, backward_residual))
    dry_share, target_share = model.dry_noise_share(spectra), backward.dry_noise_share(backward_spectra)
    forward_share = residual.total / residual.target_power
    if not max(target_share, MIN_NOISE_SHARE * residual_share) < dry_share < MAX_NOISE_TO_RESIDUAL * forward_share:
        return forward
    backward_response = model_response(backward_spectra, backward, 0.0)
    backward_motion = measure_motion(backward, spectra.times_s)
    return replace(
        forward,
        model=replace(backward, gain_db=-backward.gain_db),
        response=replace(backward_response, gain_db=evidence.matched_gain_db - backward_response.gain_db),
        motion=None if backward_motion is None else backward_motion.inverted(),
        residual=backward_residual,
        coherent_fraction=explained * float(power[backward.counts].sum() / power.sum()),
        noise_in_dry=True,
    )


def _most(distances_db: Real, power: Real) -> float:
    """Distance within which most of the power lies."""
    order = np.argsort(distances_db)
    share = np.cumsum(power[order]) / power.sum()
    return float(distances_db[order][np.searchsorted(share, MOST_OF_THE_SOUND).clip(max=len(order) - 1)])


def _band_spread_db(evidence: Evidence) -> float:
    """Half the distance from the gain within which the bands of most of the sound lie."""
    deviations = band_deviations(evidence)
    if deviations is None or evidence.spectra is None or evidence.response is None:
        return 0.0
    deviation_db, least_db, _ = deviations
    counts = np.isfinite(deviation_db) & (evidence.response.coherence >= MIN_BAND_COHERENCE)
    power = evidence.spectra.target_power.sum(axis=(0, 1), dtype=np.float64)
    if not (power[counts] > 0.0).any():
        return 0.0
    distances_db = np.where(least_db != 0.0, np.abs(deviation_db), 0.0)
    return _most(distances_db[counts], power[counts]) / 2.0


def _window_spread_db(evidence: Evidence) -> float:
    """Half the distance from the gain within which the windows of most of the sound lie."""
    spectra, model, response = evidence.spectra, evidence.model, evidence.response
    assert spectra is not None
    assert model is not None
    assert response is not None
    power = spectra.target_power.sum(axis=(1, 2), dtype=np.float64)[model.counts]
    bands = spectra.target_power.sum(axis=(0, 1), dtype=np.float64) * (response.coherence >= MIN_BAND_COHERENCE)
    present = bands > 0.0
    mean_db = float(np.average(response.gain_db[present] - evidence.gain_db, weights=bands[present]))
    return _most(np.abs(model.gain_db[model.counts] + mean_db), power) / 2.0
