"""Small pieces of Markdown."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a cell is one line, and keeps its bars."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(_cell(each) for each in line) + " |\n" for line in lines)


def block(language: str, text: str) -> str:
    """Return a fenced block."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def json_block(value: object) -> str:
    """Return a block with a JSON value."""
    return block("json", json.dumps(value, indent=2, ensure_ascii=False))


def slug(heading: str) -> str:
    """Return the anchor that a heading gets, as the site and forges make it."""
    kept = re.sub(r"[^\w\s-]", "", heading.lower().replace("`", ""))
    return re.sub(r"[\s-]+", "-", kept.strip())


def anchors(text: str) -> set[str]:
    """Return the anchors of a page."""
    plain = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", plain, re.MULTILINE)}


def summary_of(text: str) -> str:
    """Return the first sentence below the title of a page, without its links."""
    _, _, below = text.partition("\n\n")
    paragraph = " ".join(below.split("\n\n")[0].split())
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", paragraph)
    found = re.match(r".*?(?:\.(?=\s|$)|。)", plain)
    return found[0] if found else plain.removesuffix(":")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
