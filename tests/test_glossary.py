"""Vocabulary: identifiers use the terms of docs/glossary.md, and docstrings begin with a noun or an imperative."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

RETIRED = frozenset(
    [
        "anew",
        "anybody",
        "believed",
        "beside",
        "came",
        "deed",
        "deeds",
        "doer",
        "exhibit",
        "exhibits",
        "faded",
        "film",
        "ground",
        "heard",
        "hear",
        "hears",
        "hopeless",
        "judge",
        "kept",
        "nobody",
        "nursery",
        "place",
        "race",
        "racer",
        "racers",
        "rival",
        "rivals",
        "somebody",
        "taken",
        "told",
        "turned",
        "vain",
        "whoever",
    ]
)
"""Words that identifiers used before, or that say nothing to a reader who knows audio and torch."""

OPENING = re.compile(r"(What|Who|Where|How|Which|Whether)\b")

FILES = sorted(path for folder in ("rtgain", "gui", "tests", "scripts") for path in (ROOT / folder).rglob("*.py"))


def words(identifier: str) -> set[str]:
    """Lower-case words of ``snake_case``, ``CamelCase`` and ``UPPER_CASE`` names."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", identifier)}


def identifiers(path: Path) -> set[str]:
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
    return {token.string for token in tokens if token.type == tokenize.NAME}


def docstrings(path: Path) -> list[str]:
    """Docstrings of the module, its classes and functions, and of its constants."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    expressions = [node.value for node in nodes if isinstance(node, ast.Expr)]
    return [node.value for node in expressions if isinstance(node, ast.Constant) and isinstance(node.value, str)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_identifier_uses_a_retired_word(path):
    found = {name for name in identifiers(path) if words(name) & RETIRED}
    assert found == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_docstring_begins_with_a_question_word(path):
    assert [text for text in docstrings(path) if OPENING.match(text.strip())] == []


def test_glossary_has_one_line_per_term_in_order():
    lines = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
    terms = [line.split("|")[1].strip() for line in lines if line.startswith("|")][2:]
    assert len(terms) > 30
    assert terms == sorted(set(terms), key=str.lower)
