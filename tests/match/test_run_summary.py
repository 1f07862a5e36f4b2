"""Summary of many results: counts, distributions, and the pairs with the highest residuals."""

import base64
import csv
import re
from pathlib import Path

import numpy as np
import pytest

from rtgain.cli.main import main
from rtgain.match import run_summary
from rtgain.match.run_page import run_page
from rtgain.match.run_summary import summarize
from tests.match.batches import RESULT

PAIRS = 300


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Results of `PAIRS` pairs: gains −20 to 9.9 dB, residuals in a random order, a tenth failed, a tenth silent."""
    path = tmp_path / "results.csv"
    residuals = np.random.default_rng(0).permutation(PAIRS) / 3 - 100
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["dry", "target", *RESULT, "findings"], restval="")
        writer.writeheader()
        for number in range(PAIRS):
            row = {"dry": f"d{number}.wav", "target": f"<t{number}>.wav", "state": "tracking"}
            if number % 20 == 0:
                error = f"truncated: declares {number} bytes, but 0:0{number % 9}.5 are present; copy it again"
                row |= {"error": f"/data/set/d{number}.wav: {error}", "state": ""}
            elif number % 10 == 0:
                row |= {"error": f"/data/set/d{number}.wav: does not exist; check the path", "state": ""}
            elif number % 10 == 1:
                row["state"] = "silent"
            else:
                row |= {"gain_db": f"{number / 10 - 20:.1f}", "residual_db": str(residuals[number])}
                row["findings"] = "drift;clipping" if number % 10 == 2 else "drift" if number % 10 == 3 else ""
            writer.writerow(row)
    return path


def test_summary_counts_pairs_findings_states_and_errors(results):
    summary = summarize(results)
    assert (summary.pairs, summary.matched, summary.failures) == (PAIRS, 240, 30)
    assert summary.findings == {"drift": 60, "clipping": 30}
    assert summary.states == {"tracking": 240, "silent": 30}
    assert summary.errors == {
        "dry: does not exist": 15,
        "dry: truncated: declares … bytes, but … are present": 15,
    }
    assert (summary.gain_db.least, summary.gain_db.greatest) == (-19.8, 9.9)
    text = summary.to_text()
    assert text.startswith(
        "300 pairs: 240 matched, 30 failed, 30 unmatched\ngain: −19.8 to 9.9 dB, median about −5.0 dB\n"
    )
    assert "finding drift: 60 pairs\nfinding clipping: 30 pairs\n" in text


def test_histogram_and_worst_residuals_are_those_of_all_rows(results):
    summary = summarize(results)
    with results.open() as file:
        rows = [row for row in csv.DictReader(file) if row["gain_db"]]
    gains = [float(row["gain_db"]) for row in rows]
    np.testing.assert_array_equal(summary.gain_db.counts, np.histogram(gains, summary.gain_db.edges)[0])
    assert summary.gain_db.median() == pytest.approx(sorted(gains)[(len(gains) - 1) // 2], abs=0.5)
    worst = sorted(rows, key=lambda row: -float(row["residual_db"]))[: run_summary.LISTED]
    assert [row["dry"] for row in summary.worst] == [row["dry"] for row in worst]


def test_summary_takes_constant_memory(results, monkeypatch):
    monkeypatch.setattr(run_summary, "LISTED", 3)
    monkeypatch.setattr(run_summary, "MAX_KINDS", 1)
    summary = summarize(results)
    assert [len(rows) for rows in (summary.worst, summary.failed, summary.unmatched)] == [3, 3, 3]
    assert summary.findings == {"drift": 60, "other": 30}


def test_page_is_one_file_with_figures_and_escaped_names(results):
    page = run_page(summarize(results), results).decode()
    assert re.findall(r'(?:src|href)="(?!data:image/png;base64,)', page) == []
    images = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert [base64.b64decode(image)[:4] for image in images] == [b"\x89PNG"] * 2
    assert "<t2" not in page
    assert f"<td>{-1 / 3:.2f}</td>".replace("-", "−") in page
    assert page.count("&lt;t") == 50 + 30 + 30  # the worst, the failed, those without a gain


def test_results_of_a_spreadsheet_and_without_findings_are_summarized(tmp_path):
    path = tmp_path / "results.csv"
    row = dict.fromkeys(["dry", "target", *RESULT], "") | {
        "dry": "a",
        "target": "b",
        "gain_db": "-1,5",
        "state": "clipped",
    }
    path.write_bytes(("\ufeff" + ";".join(row) + "\r\n" + ";".join(row.values()) + "\r\n").encode())
    summary = summarize(path)
    assert (summary.matched, summary.gain_db.least, summary.findings) == (1, -1.5, {})


def test_report_of_complete_results_is_written_without_a_match(capsys, tmp_path):
    (tmp_path / "pairs.csv").write_text("dry,target\na.wav,b.wav\n")
    results, report = tmp_path / "results.csv", tmp_path / "report.html"
    header = ["dry", "target", *RESULT]
    results.write_text(",".join(header) + "\na.wav,b.wav,-6" + "," * (len(header) - 3) + "\n")
    words = ["match", "--manifest", str(tmp_path / "pairs.csv"), "--csv", str(results)]
    assert main(words) == 0
    assert capsys.readouterr().err == ""
    assert main([*words, "--report", str(report)]) == 0
    assert capsys.readouterr().err.startswith("1 pair: 1 matched, 0 failed, 0 unmatched\ngain: −6.0 to −6.0 dB")
    assert report.read_bytes().startswith(b"<!doctype html>")
    assert main([*words, "--report", str(results)]) == 2
    assert capsys.readouterr().err.endswith("is also the manifest or the results; choose another name\n")
