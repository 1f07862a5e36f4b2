"""Technical terms: each is explained where a lesson first uses it."""

import re
from collections.abc import Iterator

import pytest

from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.lesson import Step

EXPLANATIONS = {
    r"\bhops?\b": "About every 21 ms (a hop)",
    r"\bwindows?\b": "the newest 85 ms or so of sound (the window)",
    r"\bloss(?:es)?\b": "a number for how much the dry sine, at the guessed gain, differs from the target",
    r"\bgradient descent\b": "changes the guess by a small step that makes the loss smaller. This is gradient descent",
    r"\boptimizers?\b": "The rule for the steps is the optimizer",
    r"\bSGD\b": "The rule for the steps is the optimizer; here it is SGD",
    r"\bclosed form\b": "the closed form: the best gain, computed directly by a formula",
    r"\bgradient\b(?! descent)": "is the slope of the loss: the change of the loss divided by the change of g",
    r"\blearning rate\b": "The learning rate is a small number that sets the length of a step",
    r"\bstochastic\b": "“Stochastic” (random) refers to training on randomly chosen data",
    r"\bL1\b": "A mean of absolute values is called an L1 loss",
    r"\bleast squares\b": "the gain with the smallest squared distance",
    r"± 1 std": "the uncertainty of the estimate, one standard deviation",
    r"± bound": "the smallest uncertainty that an estimate from one window can have",
    r"\bphase\b": "its position in the cycle",
    r"\bincoherent\b": "even at the best gain, the loss stays almost as large as for silence",
    r"\bpolarity\b": "every sample changes its sign: the polarity is inverted",
    r"\bmagnitudes?\b": "how much of each frequency there is",
    r"\bcompare with\b": "“Compare with” adds a second estimate on the same sound",
    r"@\d": "named after its loss, optimizer and learning rate",
    r"\brfft\b": "a Fourier transform, measures how much of each frequency a sound contains",
    r"\bbins?\b": "for narrow bands of equal width, called *bins*",
    r"\bconvex\b": "it has the shape of a bowl with one minimum",
    r"\bRprop\b": "an optimizer that ignores the size of the slope",
    r"\bswing\b": "its swing is the highest minus the lowest gain of the last second",
    r"\bnormalized\b": "divided by the sum of the target's magnitudes",
    r"\blimit cycle\b": "leads past the optimum, and the next step leads back",
    r"\bRMS\b": "the typical (root-mean-square, RMS) error",
    r"\bAdam\b": "Adam divides each gradient by a running average of the size of the previous gradients",
    r"\bwhite noise\b": "white noise (all frequencies equally strong)",
    r"\bplain\b": "The plain spectral loss gives all bins the same weight",
    r"\bblocks?\b": "The device requests one block at a time, for example 256 frames (samples)",
    r"\bcallback\b": "A function, the callback, must fill each block in time",
    r"\bxruns?\b": "If it is late, the device plays silence or old sound: an xrun",
    r"\bDSP load\b": "DSP load (the callback's share of the time)",
    r"\bring buffers?\b": "memory that is overwritten when it is full",
    r"\blatency\b": "The estimate is 171 ms old: its latency",
    r"\bpink noise\b": "pink noise (3 dB weaker per octave, a doubling of the frequency)",
    r"\blow shelf\b": "A low shelf changes the gain below a corner frequency",
    r"\bABX\b": "a blind test of 8 trials. A is dry, B is the target, and X is one of the two",
    r"\btrials?\b": "X is one of the two, drawn at random for each trial",
    r"\bloudness\b": "Loudness adds up the power of all frequencies, weighted by how sensitive the ear is",
    r"\bLU\b": "One LU is as much as one dB of gain",
    r"\bequalizers?\b": "an equalizer: filters that change the gain in parts of the spectrum",
    r"\bresidual\b": "The residual, the level of the difference relative to the target",
    r"\bpeak\b(?= changes)": "A peak changes it around its frequency",
    r"\bQ\b": "a Q, which is large for a narrow band",
    r"\blocal minim": "This is a local minimum: every small step makes the loss larger",
    r"\bprior\b": "A prior is a cost for what is improbable",
    r"\bresponses?\b": "The response (gain against frequency)",
}
"""Terms, as patterns, and their explanations. A lesson's title may name what the lesson explains."""


def passages() -> Iterator[tuple[str, str]]:
    """Every passage with its name, in reading order: summary, GUI panel of a step, experiment window of the step."""
    for lesson in LESSONS:
        yield f"{lesson.number}", lesson.summary
        for step in lesson.steps:
            yield f"{lesson.number}, {step.title}", panel_text(step)
            captions = [step.animation, *step.figures.values(), *step.sounds.values()]
            more = [step.why, *captions, *(check.text for check in step.checks)]
            yield f"{lesson.number}, {step.title}, why", "\n".join(more)


def panel_text(step: Step) -> str:
    """All that the lesson panel shows of a step, except for the list of controls."""
    return "\n".join([step.title, step.text, step.watch, step.listen, *map(str, step.expectations)])


@pytest.mark.parametrize("term", EXPLANATIONS)
def test_a_term_is_explained_where_it_is_first_used(term: str) -> None:
    name, passage = next((name, text) for name, text in passages() if re.search(term, text, re.IGNORECASE))
    assert EXPLANATIONS[term] in passage, name
