import gc
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtgain.system.imports import importing

MODULE = "rtgain_test_import"


@pytest.fixture
def module_that_records_gc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Module whose attribute `was_enabled` says whether garbage was collected while it was imported."""
    (tmp_path / f"{MODULE}.py").write_text("import gc\nwas_enabled = gc.isenabled()\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    frozen = gc.get_freeze_count()
    yield
    sys.modules.pop(MODULE, None)
    if frozen == 0:
        gc.unfreeze()


@pytest.mark.usefixtures("module_that_records_gc")
def test_modules_are_imported_without_collection_and_frozen() -> None:
    frozen = gc.get_freeze_count()
    with importing():
        module = importlib.import_module(MODULE)
    assert not module.was_enabled
    assert gc.isenabled()
    assert gc.get_freeze_count() > frozen


@pytest.mark.usefixtures("module_that_records_gc")
def test_nothing_is_frozen_without_an_import() -> None:
    frozen = gc.get_freeze_count()
    with importing():
        importlib.import_module("sys")
    assert gc.get_freeze_count() == frozen


def test_collection_is_enabled_again_after_a_failed_import() -> None:
    with pytest.raises(ModuleNotFoundError), importing():
        importlib.import_module("rtgain_missing_module")
    assert gc.isenabled()
