"""Batches of pairs as a user runs them: manifests, their results, and pairs that crash."""

import csv
import os
from pathlib import Path

import pytest

from rtgain.cli.main import main
from tests.commands import rows

RESULT = [
    "gain_db", "gain_linear", "std_db", "delay_samples", "delay_ms", "drift_ppm", "polarity", "state", "residual_db",
    "residual_eq_db", "lufs_dry", "lufs_target", "lra_dry", "lra_target", "true_peak_dry_dbtp",
    "true_peak_target_dbtp", "findings", "error",
]  # fmt: skip

CRASH = """
import os, sys

def kill(event, arguments):
    if event == "open" and str(arguments[0]).endswith("crash.wav"):
        with open(os.path.join(os.path.dirname(arguments[0]), "crashes"), "a") as file:
            file.write("x")
        os.kill(os.getpid(), 9)

sys.addaudithook(kill)
"""


def crashing_environment(folder: Path) -> dict[str, str]:
    """Environment in which a Python process is killed when it opens ``crash.wav``, and counted in ``crashes``."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(CRASH)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def manifest(folder: Path, *targets: str) -> Path:
    """Write a manifest of ``dry.wav`` and `targets`, with two more columns."""
    path = folder / "pairs.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "dry", "target", "a note"])
        for number, target in enumerate(targets):
            writer.writerow([number, "dry.wav", target, 'says "so", twice'])
    return path


def run(
    capsys: pytest.CaptureFixture[str], path: Path, *words: str | Path, results: Path | None = None
) -> tuple[int, str, list[dict[str, str]]]:
    """Match a manifest in this process. Returns exit code, standard error and the rows of the results."""
    results = results or path.parent / "results.csv"
    code = main(["match", "--manifest", str(path), "--csv", str(results), *map(str, words)])
    output, errors = capsys.readouterr()
    assert output == ""
    return code, errors, rows(results) if results.exists() else []
