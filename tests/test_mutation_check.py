"""The protections of the mutation check: their code and their tests exist."""

import importlib
from pathlib import Path

import pytest

from scripts.mutation_check import PROTECTIONS, Protection
from tests.commands import ROOT


@pytest.mark.parametrize("protection", PROTECTIONS, ids=lambda protection: protection.name)
def test_protection_can_be_removed_and_has_a_test(protection: Protection, tmp_path: Path) -> None:
    source = (ROOT / protection.file).read_text(encoding="utf-8")
    copy = tmp_path / protection.file
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(source, encoding="utf-8")
    protection.remove(tmp_path)
    assert copy.read_text(encoding="utf-8") != source
    file, _, test = protection.check.partition("::")
    if test:
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8")


def test_documentation_lists_every_protection_with_its_failure() -> None:
    text = (ROOT / "docs" / "robustness.md").read_text(encoding="utf-8")
    for protection in PROTECTIONS:
        assert f"| {protection.name} | `{protection.check.rpartition('::')[2]}` | passes | fails: " in text


def test_missing_protection_cannot_be_removed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\nx = 1\n")
    for code in ("x = 2", "x = 1"):
        with pytest.raises(ValueError, match="times, not once"):
            Protection("a number", "a.py", code, "", "").remove(tmp_path)


@pytest.mark.parametrize("name", [path.stem for path in sorted((ROOT / "scripts").glob("*.py"))])
def test_every_script_can_be_imported(name: str) -> None:
    """No other test runs the long ones: soak tests, pictures of the documentation."""
    importlib.import_module(f"scripts.{name}")
