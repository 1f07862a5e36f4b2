"""Plots. pyqtgraph is imported here, with the modules of Qt themselves and without the parts that rtgain does not use.

It would copy the modules of Qt name by name. That creates all of Qt's classes and their 600 enumerations, which takes a
tenth of the time until the window is painted. The unused parts take another tenth.
"""

import sys
from types import ModuleType
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

UNUSED = (
    "imageview", "multiprocess", "parametertree",
    "graphicsItems.DateAxisItem", "graphicsItems.GradientEditorItem", "graphicsItems.GraphItem",
    "graphicsItems.HistogramLUTItem", "graphicsItems.NonUniformImage", "graphicsItems.PColorMeshItem",
    "widgets.CheckTable", "widgets.ColorButton", "widgets.ColorMapButton", "widgets.ColorMapWidget",
    "widgets.DataFilterWidget", "widgets.DataTreeWidget", "widgets.DiffTreeWidget", "widgets.GradientWidget",
    "widgets.HistogramLUTWidget", "widgets.RemoteGraphicsView", "widgets.ScatterPlotWidget", "widgets.SpinBox",
    "widgets.TableWidget", "widgets.TreeWidget",
)  # fmt: skip
"""Modules of pyqtgraph that its package imports, and no plot uses."""


class _UnusedModule(ModuleType):
    """Stand-in for a module while pyqtgraph is imported: each of its names is an empty class."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def _import_pyqtgraph() -> None:
    modules = (QtCore, QtGui, QtWidgets)
    for module in modules:
        sys.modules[f"pyqtgraph.Qt.{module.__name__.rpartition('.')[2]}"] = module
        module.__dir__ = list  # type: ignore[method-assign]  # nothing to copy
    unused = [f"pyqtgraph.{name}" for name in UNUSED]
    sys.modules |= {name: _UnusedModule(name) for name in unused}
    try:
        import pyqtgraph  # noqa: F401
    finally:
        for module in modules:
            del module.__dir__
        for name in unused:  # a later import gets the real one
            del sys.modules[name]


if "pyqtgraph" not in sys.modules:
    _import_pyqtgraph()
