"""Notebooks of the lessons: valid, complete, and with the numbers of the page, in a kernel and next to other code."""

import json
import re
import string
import warnings
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

import rtgain
from rtgain.lessons.catalogue import LESSONS, get_lesson
from rtgain.lessons.lesson import Lesson
from rtgain.lessons.notebook import CODE, checks_code, code_cells, lesson_notebook, markdown
from rtgain.lessons.stored_results import stored_numbers
from rtgain.lessons.text_templates import fill_template

EACH_LESSON = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
ROUNDING = ("normalized_gap", "flat", "sign_gap", "matched_lu")
"""Differences that are zero up to rounding: they vary in the sixteenth digit."""


def notebook(lesson: Lesson, seed: int = 0) -> NotebookNode:
    return nbformat.reads(lesson_notebook(lesson, stored_numbers(lesson.name), seed).decode(), as_version=4)


def texts(lesson: Lesson) -> list[str]:
    found = [lesson.summary]
    for step in lesson.steps:
        found += [step.text, step.watch, step.listen, step.why, step.animation]
        found += [*step.figures.values(), *step.sounds.values(), *(check.text for check in step.checks)]
    return found


def placeholders(text: str) -> set[str]:
    return {name for _, name, *_ in string.Formatter().parse(text) if name}


def execute_cells(lesson_name: str) -> dict[str, Any]:
    """Run the code cells in order in one namespace, without a kernel, and return it."""
    namespace: dict[str, Any] = {}
    backend = plt.get_backend()
    plt.switch_backend("agg")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
        for position, code in code_cells(get_lesson(lesson_name)).items():
            exec(compile(code, position, "exec"), namespace)
    plt.close("all")
    plt.switch_backend(backend)
    return namespace


@EACH_LESSON
def test_a_notebook_is_valid_and_has_a_cell_for_every_figure_sound_and_animation(lesson: Lesson) -> None:
    nbformat.validate(notebook(lesson))
    positions = set(code_cells(lesson)) - {"setup"} - {f"step {number}" for number in range(1, len(lesson.steps) + 1)}
    media = {f"step {n} {kind} {name}" for n, step in enumerate(lesson.steps, 1) for kind, names in
             (("figure", step.figures), ("sound", step.sounds)) for name in names}  # fmt: skip
    assert positions == media | {f"step {n} animation" for n, step in enumerate(lesson.steps, 1) if step.animation}


@EACH_LESSON
def test_cells_use_only_the_public_api_and_play_sounds_at_their_level(lesson: Lesson) -> None:
    code = "\n".join(code_cells(lesson).values())
    assert set(re.findall(r"\brtgain\.(\w+)", code)) <= set(rtgain.__all__)
    assert set(re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE)) <= {
        "IPython", "importlib", "math", "matplotlib", "numpy", "rtgain",
    }  # fmt: skip
    sounds = [source for position, source in code_cells(lesson).items() if " sound " in position]
    assert [source for source in sounds if not source.endswith(", normalize=False)")] == []


def test_markdown_shows_every_character_as_it_is() -> None:
    assert markdown("g_1 * |x| < $3") == r"g\_1 \* \|x\| \< \$3"
    assert markdown("the *loss* is a_b", emphasis=True) == r"the *loss* is a\_b"
    assert markdown("“spectral/SGD@0.3”") == r"“spectral/SGD\@0.3”"  # JupyterLab shows SGD@0.3 as a mail address


def test_the_seed_of_the_export_is_that_of_the_notebook() -> None:
    seeded = [lesson for lesson in LESSONS if "seed" in (CODE / f"{lesson.name.replace('-', '_')}.py").read_text()]
    assert {lesson.number for lesson in seeded} == {4, 5, 6, 7, 8}
    for lesson in seeded:
        assert "\nseed = 7\n" in code_cells(lesson, seed=7)["setup"]


def outputs(cell: NotebookNode) -> dict[str, Any]:
    """Outputs of a cell by media type; printed text as ``stdout``."""
    found: dict[str, Any] = {}
    for output in cell.outputs:
        found |= output.data if "data" in output else {output.name: output.text}
    return found


@EACH_LESSON
def test_a_fresh_kernel_computes_the_numbers_of_the_page_and_shows_all_media(lesson: Lesson, tmp_path: Path) -> None:
    names = sorted(set().union(*map(placeholders, texts(lesson))))
    executed = notebook(lesson)
    executed.cells.append(new_code_cell(f"import json\nprint(json.dumps({{n: float(globals()[n]) for n in {names}}}))"))
    NotebookClient(executed, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert list(tmp_path.iterdir()) == []
    cells = {cell.source: outputs(cell) for cell in executed.cells if cell.cell_type == "code"}
    assert [source for source, found in cells.items() if "stderr" in found] == []

    stored, found = stored_numbers(lesson.name), json.loads(cells[executed.cells[-1].source]["stdout"])
    for text in texts(lesson):
        if not placeholders(text) & set(ROUNDING):
            assert fill_template(text, found) == fill_template(text, stored)
    for position, code in code_cells(lesson).items():
        if " figure " in position:
            assert "image/png" in cells[code], position
        elif " sound " in position:
            assert "<audio" in cells[code]["text/html"], position
        elif position.endswith(" animation"):
            assert "data:video/mp4;base64," in cells[code]["text/html"], position
    for step in lesson.steps:
        assert [check.text for check in step.checks if not check.holds(found)] == []
        if step.checks:
            printed = cells[checks_code(step)]["stdout"].replace("-", "\N{MINUS SIGN}").splitlines()
            page = [fill_template(check.text, stored).replace("-", "\N{MINUS SIGN}") for check in step.checks]
            for check, expected, shown in zip(step.checks, page, printed, strict=True):
                assert shown == expected or check.number in ROUNDING


def test_the_chapter_that_the_lessons_grew_from_runs_next_to_them_and_agrees() -> None:
    namespace = dict(execute_cells(LESSONS[0].name))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
        source = Path(__file__).with_name("seed_chapter.py").read_text(encoding="utf-8")
        exec(compile(source, "seed_chapter", "exec"), namespace)
    plt.close("all")
    for name, (lesson, number) in {
        "gains_same": ("gradient-descent", "gain"),
        "gains_shifted": ("waveform-loss", "gain_90"),
        "gains_spectral": ("spectral-loss", "gain_90"),
    }.items():
        assert namespace[name][-1] == pytest.approx(stored_numbers(lesson)[number], abs=2e-4), name
    # The cell of lesson 1 and the chapter plot the same loss; the chapter computes in single precision.
    ours = rtgain.loss_curve(
        rtgain.LinearGain(gain=1.0), "gain", namespace["gain_grid"], namespace["dry"], 0.15 * namespace["dry"],
        loss=rtgain.WaveformLoss(normalize=False),
    )  # fmt: skip
    np.testing.assert_allclose(namespace["curve_same"], ours, atol=1e-5)
    assert namespace["gain_grid"][np.argmin(namespace["curve_shifted"])] == 0.0
    assert namespace["gain_grid"][np.argmin(namespace["curve_spectral"])] == pytest.approx(0.15, abs=0.0102)
    assert "Animation" in namespace["html"].data
