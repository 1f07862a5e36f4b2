"""README and docs: their links, paths, names of code and tests, and command lines exist."""

import ast
import re
import shlex

import pytest

from gui.dialogs.shortcuts import KEYS
from rtgain.cli.main import build_parser
from rtgain.lessons.catalogue import LESSONS
from scripts import readme_figures
from tests import documentation
from tests.commands import ROOT
from tests.documentation import PAGES, anchors, prose

EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@EACH_PAGE
def test_links_lead_to_pages_pictures_and_headings(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@EACH_PAGE
def test_paths_in_backticks_exist_and_define_the_name_behind_the_colons(page):
    for path, name in re.findall(r"`((?:rtgain|gui|tests|scripts|docs)/[\w./-]*)(?:::([\w.]+))?`", prose(page)):
        assert (ROOT / path).exists(), path
        source = (ROOT / path).read_text(encoding="utf-8") if name else ""
        for part in filter(None, name.split(".")):  # a method is defined after its class
            definition = re.search(rf"^\s*(?:def {part}\(|class {part}\b|{part}\b.*=)", source, re.MULTILINE)
            assert definition, f"{path}::{name}"
            source = source[definition.end() :]


@EACH_PAGE
def test_tests_in_backticks_exist(page):
    defined = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", prose(page))
    assert [name for name in named if f"def {name}(" not in defined] == []


@EACH_PAGE
def test_modules_that_python_runs_exist(page):
    for module in re.findall(r"python -m ((?:rtgain|scripts|tests)[\w.]*)", prose(page)):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


@pytest.mark.parametrize("command", documentation.commands("run|match|lesson|devices|bench"))
def test_commands_are_accepted_by_the_parser(command):
    options = build_parser().parse_args(shlex.split(command)[1:])
    if options.command == "lesson" and options.name is not None:
        assert options.name in {str(lesson.number) for lesson in LESSONS} | {lesson.name for lesson in LESSONS}


def test_readme_has_the_commands_and_the_table_that_its_figures_are_made_from():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [command for command in readme_figures.COMMANDS if command not in readme] == []
    assert readme_figures.MOVES.replace("\n", "\\n") in readme


def test_options_of_run_and_match_are_all_in_the_reference():
    reference = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    for command in ("run", "match", "bench"):
        usage = _usage(command)
        missing = [option for option in re.findall(r"--[a-z-]+", usage) if f"`{option}" not in reference]
        assert missing == [], command


def test_keyboard_shortcuts_are_all_in_the_gui_reference():
    table = (ROOT / "docs" / "gui.md").read_text(encoding="utf-8").partition("## Keyboard shortcuts")[2]
    keys = {key.strip() for row in table.splitlines() for key in row.split("|")[1:2] for key in key.split(",")}
    assert {key.sequence for key in KEYS} <= keys


def test_labels_in_bold_in_the_gui_reference_are_labels_of_the_gui():
    labels = re.findall(r"\*\*([^*]+)\*\*", prose(ROOT / "docs" / "gui.md"))
    sources = [*(ROOT / "gui").rglob("*.py"), ROOT / "rtgain" / "config" / "labels.py"]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sources]
    constants = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    texts = [text.replace("&", "") for text in constants if isinstance(text, str)]
    parts = {part for label in labels for part in " ".join(label.split()).split(" ▸ ")} - {key.sequence for key in KEYS}
    assert {part for part in parts if not any(part in text for text in texts)} == set()


def _usage(command: str) -> str:
    (subparsers,) = [action for action in build_parser()._actions if action.dest == "command"]
    return subparsers.choices[command].format_usage()
