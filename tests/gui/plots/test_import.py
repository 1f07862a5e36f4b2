"""Import of pyqtgraph without the parts that no plot uses."""

import sys
from importlib.util import find_spec

from gui.plots import UNUSED, _UnusedModule


def test_unused_modules_exist_and_can_be_imported_afterwards() -> None:
    for name in UNUSED:
        assert find_spec(f"pyqtgraph.{name}") is not None
    assert not any(isinstance(module, _UnusedModule) for module in sys.modules.values())
