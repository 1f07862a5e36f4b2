"""Self-contained HTML page of a lesson: text, figures, animation and audio players in one file."""

import base64
import html
from collections.abc import Mapping, Sequence

from rtgain.config.labels import describe_controls
from rtgain.lessons.checks import MARKS
from rtgain.lessons.lesson import CheckResult, Lesson, Step, emphasized
from rtgain.lessons.text_templates import fill_template
from rtgain.output.curve_styles import ESTIMATE, LIGHT_BACKGROUND

STYLE = f"""
:root {{ color-scheme: light; }}
body {{ font: 17px/1.6 system-ui, sans-serif; color: #1d232a; background: #f2f4f6; margin: 0;
        overflow-wrap: anywhere; }}
main {{ max-width: 860px; margin: 0 auto; padding: 24px 20px 64px; }}
h1 {{ font-size: 34px; line-height: 1.2; margin: 24px 0 8px; }}
h2 {{ font-size: 23px; margin: 0 0 8px; }}
nav, .number {{ color: #5a6470; }}
a {{ color: {ESTIMATE.light}; }}
section {{ background: {LIGHT_BACKGROUND}; border: 1px solid #d8dde3; border-radius: 8px;
           padding: 22px 26px; margin: 22px 0; }}
.lead {{ font-size: 20px; color: #5a6470; margin: 0 0 24px; }}
figure {{ margin: 18px 0; }}
figcaption {{ color: #5a6470; font-size: 15px; }}
img, video {{ width: 100%; height: auto; display: block; }}
audio {{ display: block; width: 100%; margin: 4px 0 6px; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; }}
dt {{ font-weight: 600; }}
dd {{ margin: 0; }}
table {{ border-collapse: collapse; width: 100%; font-size: 15px; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: left; padding: 5px 12px 5px 0; border-top: 1px solid #d8dde3; vertical-align: top; }}
td:first-child {{ width: 44%; }}
td:last-child {{ white-space: nowrap; width: 1px; }}
@media (max-width: 600px) {{
  section {{ padding: 16px 14px; }}
  .wide {{ overflow-x: auto; }}
  .wide > * {{ width: 560px; }}
  dl {{ display: block; }}
  dd {{ margin: 0 0 8px; }}
}}
"""
"""Style sheet. On a narrow screen, pictures keep a width at which their labels are readable, and scroll sideways."""


def lesson_page(
    lesson: Lesson,
    numbers: Mapping[str, float],
    results: Sequence[CheckResult],
    media: Mapping[str, bytes],
    *,
    previous: Lesson | None,
    following: Lesson | None,
) -> bytes:
    """Make the page of a lesson; `media` are its PNGs, WAVs and its MP4 by file name."""
    links = ['<a href="index.html">All lessons</a>']
    links += [f'<a href="{previous.name}.html">← {_text(previous.title)}</a>'] if previous else []
    links += [f'<a href="{following.name}.html">{_text(following.title)} →</a>'] if following else []
    body = [
        f"<nav>{' · '.join(links)}</nav>" if previous or following else "",
        f"<h1>{lesson.number} · {_text(lesson.title)}</h1>",
        f'<p class="lead">{_text(fill_template(lesson.summary, numbers))}</p>',
    ]
    for step in lesson.steps:
        body.append(_step(step, numbers, [result for result in results if result.step is step], media))
    return _document(f"{lesson.title} · rtgain", body)


def index_page(lessons: Sequence[Lesson]) -> bytes:
    """Make the page that lists all lessons."""
    body = [
        "<h1>Real-time differentiable audio</h1>",
        '<p class="lead">Eight lessons on gradient descent with sound, with figures and recordings.</p>',
    ]
    body += [
        f'<section><h2><span class="number">{lesson.number}</span> '
        f'<a href="{lesson.name}.html">{_text(lesson.title)}</a></h2><p>{_text(lesson.summary)}</p></section>'
        for lesson in lessons
    ]
    return _document("rtgain: lessons", body)


def data_uri(name: str, content: bytes) -> str:
    """Encode `content` as a data URI; the extension of `name` gives the media type."""
    media_types = {"png": "image/png", "wav": "audio/wav", "mp4": "video/mp4"}
    return f"data:{media_types[name.rsplit('.', 1)[1]]};base64,{base64.b64encode(content).decode()}"


def _step(step: Step, numbers: Mapping[str, float], results: Sequence[CheckResult], media: Mapping[str, bytes]) -> str:
    parts = [f"<section><h2>{_text(step.title)}</h2>", f"<p>{_text(fill_template(step.text, numbers))}</p>"]
    hints = (
        ("Controls", describe_controls(step.controls)),
        ("Watch", fill_template(step.watch, numbers)),
        ("Listen", fill_template(step.listen, numbers)),
    )
    parts.append("<dl>" + "".join(f"<dt>{name}</dt><dd>{_text(hint)}</dd>" for name, hint in hints) + "</dl>")
    parts += [f"<p>{emphasized(fill_template(why, numbers))}</p>" for why in step.why.split("\n\n") if why]
    if step.animation:
        parts.append(_animation(fill_template(step.animation, numbers), media))
    for name, caption in step.figures.items():
        label = _text(fill_template(caption, numbers))
        image = data_uri("x.png", media[f"{name}.png"])
        picture = f'<div class="wide"><img src="{image}" alt="{label}"></div>'
        parts.append(f"<figure>{picture}<figcaption>{label}</figcaption></figure>")
    for name, caption in step.sounds.items():
        sound = data_uri("x.wav", media[f"{name}.wav"])
        label = _text(fill_template(caption, numbers))
        parts.append(f'<figure><figcaption>{label}</figcaption><audio controls src="{sound}"></audio></figure>')
    if results:
        parts.append("<table><tr><th>expected</th><th>observed</th><th></th></tr>")
        cells = ((result.expected, result.observed, MARKS[result.outcome]) for result in results)
        parts += ["<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in cells]
        parts.append("</table>")
    return "\n".join([*parts, "</section>"])


def _animation(caption: str, media: Mapping[str, bytes]) -> str:
    source = data_uri("x.mp4", media["animation.mp4"])
    label = _text(caption)
    video = f'<video src="{source}" aria-label="{label}" autoplay loop muted playsinline controls></video>'
    return f'<figure><div class="wide">{video}</div><figcaption>{label}</figcaption></figure>'


def _document(title: str, body: Sequence[str]) -> bytes:
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    )
    return (head + "\n".join(part for part in body if part) + "\n</main>\n</body>\n</html>\n").encode()


def _text(text: str) -> str:
    return html.escape(text, quote=True)
