"""Plots. pyqtgraph is imported here, and uses the modules of Qt themselves.

It would copy them name by name. That creates all of Qt's classes and their 600 enumerations, which takes a tenth of
the time until the window is painted.
"""

import sys

from PySide6 import QtCore, QtGui, QtWidgets


def _import_pyqtgraph() -> None:
    modules = (QtCore, QtGui, QtWidgets)
    for module in modules:
        sys.modules[f"pyqtgraph.Qt.{module.__name__.rpartition('.')[2]}"] = module
        module.__dir__ = list  # type: ignore[attr-defined]  # nothing to copy
    try:
        import pyqtgraph  # noqa: F401
    finally:
        for module in modules:
            del module.__dir__  # type: ignore[attr-defined]


if "pyqtgraph" not in sys.modules:
    _import_pyqtgraph()
