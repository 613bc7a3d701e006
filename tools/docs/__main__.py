"""Write the pages that are made from code, compare them, or build the site."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.docs import cli_page, http_page, problem_pages, scopes_page, settings_page
from tools.docs.markdown import DOCS


def main() -> None:
    """Do what the command line says."""
    match sys.argv[1:]:
        case []:
            write()
        case ["--check"]:
            finish(stale())
        case ["--site", folder]:
            from tools.docs.site import build  # the only one that needs griffe and Zensical

            finish([*stale(), *build(Path(folder))])
        case _:
            sys.exit(f"usage: {__package__} [--check | --site FOLDER]")


def kept_pages() -> Iterator[tuple[str, str]]:
    """Return the path below docs/ of each page that is made and kept, and its text."""
    yield "settings.md", settings_page.page()
    yield "cli.md", cli_page.page()
    yield "http.md", http_page.page()
    yield "scopes.md", scopes_page.page()
    yield from problem_pages.pages()


def write() -> None:
    """Write the pages that are kept, and remove pages of problems that are no more."""
    shutil.rmtree(DOCS / "problems", ignore_errors=True)
    for name, text in kept_pages():
        path = DOCS / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def finish(faults: list[str]) -> None:
    """End with all faults, if there are some."""
    if faults:
        sys.exit("\n".join(faults))


def stale() -> list[str]:
    """Return a sentence for each page that is not what the code says."""
    pages = dict(kept_pages())
    there = {f"problems/{path.name}" for path in DOCS.glob("problems/*")}
    odd = {
        name
        for name, text in pages.items()
        if not (DOCS / name).exists() or (DOCS / name).read_text(encoding="utf-8") != text
    }
    return [
        f"docs/{name} is not what the code says: run `python -m tools.docs`"
        for name in sorted(odd | (there - pages.keys()))
    ]


if __name__ == "__main__":
    main()
