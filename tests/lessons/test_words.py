"""Whoever has never seen a word of the field is told what it means where a lesson first uses it."""

import re
from collections.abc import Iterator

import pytest

from rtgain.config.labels import describe_controls
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.lesson import Step

EXPLAINED = {
    r"\bhops?\b": "Every 21 ms (a hop)",
    r"\bwindows?\b": "the newest 85 ms of sound (its window)",
    r"\bloss(?:es)?\b": "how far is my guess from the target (the loss)",
    r"\boptimizers?\b|Optim\.": "who steps is the optimizer",
    r"\bSGD\b": "gradient descent; who steps is the optimizer, here SGD",
    r"\bclosed form\b": "the closed form: the best gain by a formula",
    r"\bleast squares\b": "a best gain too, by squared distances",
    r"\bL1\b": "the mean distance between the guess and the target, sample by sample",
    r"± one std": "how sure the estimate is, a standard deviation",
    r"± bound": "how sure any estimate could be",
    r"\bincoherent\b": "the target is no scaled copy",
    r"\bpolarity\b": "every sample changes its sign: the polarity is inverted",
    r"\bmagnitudes?\b": "how much there is of each frequency",
    r"\braces?\b": "A second estimate races beside it on the same sound",
    r"@\d": "its loss and its optimizer, and @ is a rate that stays as it is",
    r"\brfft\b": "a Fourier transform, parts a sound into its frequencies",
    r"\bbins?\b": "each of them is a *bin*",
    r"\bconvex\b": "a bowl with one lowest place",
    r"\bRprop\b": "by Rprop, which looks at no slope's size",
    r"\bswing\b": "A swing is a gain's highest value of the last second less its lowest",
    r"\blimit cycle\b": "leads past it, the next one back",
    r"\bAdam\b": "Adam measures how large gradients have been and steps by about its rate",
    r"\bnormalized\b": "divided by the size of the target's spectrum",
    r"\bblocks?\b": "The device asks for a block at a time: 256 frames (samples)",
    r"\bcallback\b": "the callback, must fill each before the next is due",
    r"\bxruns?\b": "where it is late, something else is heard: an xrun",
    r"\brings?\b": "memory that is overwritten when it is full",
    r"\blatency\b": "how late one knows",
}
"""Words, as patterns, and what is said of each."""


def in_order() -> Iterator[tuple[str, str]]:
    """Every step as it is met: what the Learn panel shows of it, then what its window or the page adds."""
    for lesson in LESSONS:
        yield f"{lesson.number}", f"{lesson.title} {lesson.summary}"
        for step in lesson.steps:
            yield f"{lesson.number}, {step.title}", panel_of(step)
            more = [
                step.why,
                step.animation,
                *step.figures.values(),
                *step.sounds.values(),
                *(found.text for found in step.checks),
            ]
            yield f"{lesson.number}, {step.title}, why", "\n".join(more)


def panel_of(step: Step) -> str:
    """All that the Learn panel says of a step."""
    moved = describe_controls({name: value for name, value in step.all_controls.items() if name in step.controls})
    return "\n".join([step.title, step.text, step.watch, step.listen, moved, *map(str, step.expectations)])


@pytest.mark.parametrize("word", EXPLAINED)
def test_a_word_is_explained_where_it_is_first_used(word: str) -> None:
    place, passage = next((place, text) for place, text in in_order() if re.search(word, text, re.IGNORECASE))
    assert EXPLAINED[word] in passage, place
