"""Compile cache: every source that compiled code depends on is part of the digest."""

import shutil
from pathlib import Path

import pytest

from rtgain.audio import jit
from rtgain.audio.jit import source_digest

PACKAGE = Path(jit.__file__).parent
COMPILED = sorted(
    str(path.relative_to(PACKAGE))
    for path in PACKAGE.rglob("*.py")
    if any(word in path.read_text(encoding="utf-8") for word in ("realtime_jit", "cfunc(", "= np.dtype("))
)
"""All modules of `rtgain.audio` with compiled functions or record layouts."""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of `rtgain.audio`."""
    return Path(shutil.copytree(PACKAGE, tmp_path / "audio", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.mark.parametrize("name", ["constants.py", *COMPILED])
def test_change_of_a_kernel_file_changes_the_digest(package: Path, name: str) -> None:
    before = source_digest(package)
    assert before == source_digest(PACKAGE)
    with (package / name).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert source_digest(package) != before


def test_change_of_a_driver_keeps_the_digest(package: Path) -> None:
    before = source_digest(package)
    (package / "io" / "devices.py").write_text("", encoding="utf-8")
    assert source_digest(package) == before
