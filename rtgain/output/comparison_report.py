"""Report of a comparison as one HTML page: it plays the sounds, and needs neither a network nor other files."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rtgain import __version__
from rtgain.number_format import format_number, format_time
from rtgain.output.curve_styles import LIGHT_BACKGROUND
from rtgain.records.levels import Loudness

EMBEDDED_BYTES = 48_000_000
"""Largest sum of the sounds, in bytes, that is embedded; longer ones are played from the files next to the page."""

STYLE = f"""
:root {{ color-scheme: light; }}
body {{ font: 16px/1.5 system-ui, sans-serif; color: #1d232a; background: #f2f4f6; margin: 0;
        overflow-wrap: anywhere; }}
main {{ max-width: 900px; margin: 0 auto; padding: 24px 20px 48px; }}
h1 {{ font-size: 28px; line-height: 1.2; margin: 12px 0 16px; }}
h2 {{ font-size: 19px; margin: 0 0 8px; }}
section {{ background: {LIGHT_BACKGROUND}; border: 1px solid #d8dde3; border-radius: 8px; padding: 18px 22px;
           margin: 16px 0; }}
.lead {{ font-size: 20px; margin: 0 0 6px; }}
.muted, figcaption, th {{ color: #5a6470; }}
figure {{ margin: 12px 0; }}
img {{ width: 100%; height: auto; display: block; }}
audio {{ display: block; width: 100%; margin: 4px 0 10px; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: left; padding: 5px 14px 5px 0; border-top: 1px solid #d8dde3; font-weight: normal;
         white-space: nowrap; }}
"""

SCRIPT = """
const sounds = [...document.querySelectorAll("audio")];
let current = sounds[0];
for (const sound of sounds) sound.addEventListener("play", () => {
  if (sound === current) return;
  if (!current.paused) sound.currentTime = current.currentTime;
  current.pause();
  current = sound;
});
document.addEventListener("keydown", (event) => {
  const sound = sounds[Number(event.key) - 1];
  if (sound && !event.ctrlKey && !event.altKey && !event.metaKey) sound.play();
});
"""
"""One sound plays at a time. Another one continues at its time, by its button or its number key."""


@dataclass(frozen=True)
class ReportRecording:
    """One recording: name, format in words, length in seconds, and its loudness over the section."""

    name: str
    description: str
    duration_s: float
    loudness: Loudness


@dataclass(frozen=True)
class ComparisonReport:
    """Content of the page.

    Attributes:
        dry, target: the recordings.
        section: the part that was compared, in words.
        sentence: gain, delay and polarity in words.
        level: level match in words.
        findings: everything else that differs, a sentence each; None if it was not measured.
        figures: PNG by caption.
        sounds: sound file by caption.
        tests: results of listening tests, a sentence each.
    """

    dry: ReportRecording
    target: ReportRecording
    section: str
    sentence: str
    level: str
    findings: Sequence[str] | None
    figures: dict[str, bytes]
    sounds: dict[str, Path]
    tests: Sequence[str]


def report_page(report: ComparisonReport) -> bytes:
    """Make the page. Sounds of more than `EMBEDDED_BYTES` together are links to the files."""
    title = f"{report.target.name} compared with {report.dry.name}"
    body = [
        f"<h1>{_text(title)}</h1>",
        f'<section><p class="lead">{_text(report.sentence)}</p><p>{_text(report.level)}</p>',
        _findings(report.findings),
        f'<p class="muted">{_text(report.section)}</p></section>',
        _recordings(report),
        _sounds(report.sounds),
    ]
    body += [f"<section><h2>Listening tests</h2>{_list(report.tests)}</section>"] if report.tests else []
    for caption, picture in report.figures.items():
        image = f'<img src="{_data_uri("image/png", picture)}" alt="{_text(caption)}">'
        body.append(f"<section><figure>{image}<figcaption>{_text(caption)}</figcaption></figure></section>")
    body.append(
        f'<p class="muted">rtgain {_text(__version__)}. Numbers and options are in the files of this folder.</p>'
    )
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    )
    return (
        head + "\n".join(part for part in body if part) + f"\n</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    ).encode()


def _findings(findings: Sequence[str] | None) -> str:
    if findings is None:
        return ""
    return f"<p>Also different:</p>{_list(findings)}" if findings else "<p>Nothing else differs.</p>"


def _recordings(report: ComparisonReport) -> str:
    titles = ("", "name", "format", "length", "loudness", "range", "true peak")
    rows = ["".join(f"<th>{title}</th>" for title in titles)]
    for role, recording in (("Dry", report.dry), ("Target", report.target)):
        loudness = recording.loudness
        cells = (
            role,
            recording.name,
            recording.description,
            format_time(recording.duration_s),
            f"{format_number(loudness.integrated_lufs, 1)} LUFS",
            f"{format_number(loudness.range_lu, 1)} LU",
            f"{format_number(loudness.true_peak_dbtp, 1)} dBTP",
        )
        rows.append("".join(f"<td>{_text(cell)}</td>" for cell in cells))
    table = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<section><h2>Recordings</h2><div class="wide"><table>{table}</table></div></section>'


def _sounds(sounds: dict[str, Path]) -> str:
    is_embedded = sum(path.stat().st_size for path in sounds.values()) <= EMBEDDED_BYTES
    keys = " ".join(str(number) for number in range(1, len(sounds) + 1))
    hint = f"The keys {keys} switch between the sounds while they play. Each is repeated."
    parts = [f'<p class="muted">{hint}</p>']
    for number, (caption, path) in enumerate(sounds.items(), start=1):
        source = _data_uri(f"audio/{path.suffix[1:]}", path.read_bytes()) if is_embedded else path.name
        parts.append(f'<p>{number} · {_text(caption)}</p><audio controls loop src="{_text(source)}"></audio>')
    return f"<section><h2>Listen</h2>{''.join(parts)}</section>"


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{_text(line)}</li>' for line in lines)}</ul>"


def _data_uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _text(text: str) -> str:
    return html.escape(text, quote=True)
