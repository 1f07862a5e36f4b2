"""README and docs as the tests read them: pages, commands, Python examples, links and references to code."""

import re
from pathlib import Path

from tests.commands import ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """Text of a page without its code blocks."""
    return FENCE.sub("", read(page))


def commands(names: str = "run|match") -> list[str]:
    """Lines of code blocks, without repetitions, that begin with ``rtgain`` and one of these commands."""
    lines = re.findall(rf"^rtgain (?:{names})\b.*$", "\n".join(map(read, PAGES)), re.MULTILINE)
    return list(dict.fromkeys(line.partition(" #")[0].strip() for line in lines))


def python_examples() -> list[tuple[str, str]]:
    """Python code blocks, each with the text block that follows: program and printed result."""
    examples = []
    for page in PAGES:
        blocks = FENCE.findall(read(page))
        for (language, program), (following, printed) in zip(blocks, [*blocks[1:], ("", "")], strict=False):
            if language == "python":
                assert following == "text", f"{page.name}: a Python block without the text block of its result"
                examples.append((program, printed))
    return examples


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
