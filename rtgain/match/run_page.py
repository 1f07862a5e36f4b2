"""Page about the results of many pairs: one HTML file with its figures."""

import base64
import html
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rtgain.match.run_summary import Histogram, RunSummary, parse_number
from rtgain.match.table import Row
from rtgain.number_format import format_number
from rtgain.output.curve_styles import ESTIMATE
from rtgain.output.figures import new_figure, png

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } th, td { padding: .2rem .8rem; text-align: left; border-bottom: 1px solid #ddd; }
td.number { text-align: right; font-variant-numeric: tabular-nums; } td { overflow-wrap: anywhere; }
img { max-width: 100%; }
"""


def run_page(summary: RunSummary, results: Path) -> bytes:
    """Make the page: counts, histograms of gain and residual, findings, and the pairs to listen to first."""
    unmatched = summary.pairs - summary.matched - summary.failures
    sections = [
        f"<h1>{html.escape(results.name)}</h1>",
        _table(
            ("", "pairs", "share"),
            [
                (name, str(count), summary.share(count))
                for name, count in (
                    ("all", summary.pairs),
                    ("matched", summary.matched),
                    ("without a gain", unmatched),
                    ("failed", summary.failures),
                )
            ],
        ),
        _histogram("Gain", "gain in dB", summary.gain_db),
        _histogram("Residual", "level of the difference relative to the target, in dB", summary.residual_db),
        _counts("Findings", "kind", summary.findings, summary),
        _counts("States of the pairs without an error", "state", summary.states, summary),
        _counts("Errors", "error", summary.errors, summary),
        _pairs("Highest residuals: listen to these first", summary.worst, ("residual_db", "gain_db", "findings")),
        _pairs("First pairs without a gain", summary.unmatched, ("state",)),
        _pairs("First failed pairs", summary.failed, ("error",)),
    ]
    title = html.escape(f"rtgain: {results.name}")
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    return (head + "\n".join(filter(None, sections)) + "</html>\n").encode()


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["".join(f"<th>{html.escape(name)}</th>" for name in header)]
    for row in rows:
        first, *others = (html.escape(cell) for cell in row)
        lines.append(f"<td>{first}</td>" + "".join(f'<td class="number">{cell}</td>' for cell in others))
    return "<table>" + "".join(f"<tr>{line}</tr>\n" for line in lines) + "</table>"


def _counts(title: str, column: str, counts: Counter[str], summary: RunSummary) -> str:
    rows = [(name, str(count), summary.share(count)) for name, count in counts.most_common()]
    return f"<h2>{title}</h2>{_table((column, 'pairs', 'share'), rows)}" if rows else ""


def _pairs(title: str, rows: Sequence[Row], columns: Sequence[str]) -> str:
    if not rows:
        return ""
    columns = [name for name in columns if name in rows[0]]
    lines = "".join(
        "<tr>"
        + "".join(f"<td>{html.escape(_cell(name, row[name]))}</td>" for name in (*columns, "dry", "target"))
        + "</tr>\n"
        for row in rows
    )
    header = "".join(f"<th>{name}</th>" for name in (*columns, "dry", "target"))
    return f"<h2>{title}</h2><table><tr>{header}</tr>\n{lines}</table>"


def _cell(name: str, text: str) -> str:
    return format_number(parse_number(text), 2) if name.endswith("_db") else text


def _histogram(title: str, label: str, values: Histogram) -> str:
    if not values.count:
        return ""
    figure = new_figure(1600, 500)
    axes = figure.add_subplot()
    axes.stairs(values.counts, values.edges, fill=True, color=ESTIMATE.light)
    used = values.counts.nonzero()[0]
    axes.set_xlim(values.edges[used[0]] - 1.0, values.edges[used[-1] + 1] + 1.0)
    axes.set_xlabel(label)
    axes.set_ylabel("pairs")
    axes.locator_params("y", integer=True)
    image = base64.b64encode(png(figure)).decode()
    numbers = [format_number(value, 1) for value in (values.least, values.median(), values.greatest)]
    caption = f"least {numbers[0]} dB, median about {numbers[1]} dB, greatest {numbers[2]} dB"
    return f'<h2>{title}</h2><p>{caption}</p><img alt="{title}: {caption}" src="data:image/png;base64,{image}">'
