"""Waits of the tests: what `qtbot` returns as a context manager waits only at the end of a `with` statement."""

import ast
from pathlib import Path

CONTEXT_MANAGERS = {"assertNotEmitted", "waitActive", "waitExposed", "waitSignal", "waitSignals"}


def test_every_wait_is_entered() -> None:
    ignored = []
    for path in Path(__file__).parents[1].rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                function = node.value.func
                if isinstance(function, ast.Attribute) and function.attr in CONTEXT_MANAGERS:
                    ignored.append(f"{path.name}, line {node.lineno}: {function.attr}")
    assert ignored == []
