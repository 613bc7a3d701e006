"""/llms.txt: what the pages are, for programs that read; and all of them in one file."""

from pathlib import Path

from tools.docs.layout import HOME, below, sections
from tools.docs.markdown import summary_of


def index(pages: Path) -> str:
    """Return the list of pages, with one sentence of each."""
    lines = ["# taskq\n", f"> {_summary(pages / HOME)}\n"]
    lines.append("Each page is here as Markdown; llms-full.txt has all of them in one file.\n")
    for section, listed in sections(pages).items():
        if listed:
            lines.append(f"## {section}\n")
            lines += [f"- [{title}]({name}): {_summary(pages / name)}" for name, title in listed]
            lines.append("")
    return "\n".join(lines)


def everything(pages: Path) -> str:
    """Return the text of all pages, in the order of the site."""
    names = [HOME]
    for listed in sections(pages).values():
        for name, _ in listed:
            names += [name, *(path for path, _ in below(pages, name))]
    parts = [f"<!-- {name} -->\n\n{(pages / name).read_text(encoding='utf-8')}" for name in names]
    return "\n\n".join(parts)


def _summary(path: Path) -> str:
    return summary_of(path.read_text(encoding="utf-8"))
