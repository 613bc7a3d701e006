"""Build the site with Zensical, and look at what came out."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from taskq_server import __version__
from tools.docs import changelog_page, check_site, llms, reference_page
from tools.docs.layout import BELOW, HOME, Page, below, sections, title_in
from tools.docs.markdown import DOCS, ROOT

_BLOCK_OR_LINK = re.compile(r"^```.*?^```$|\[([^]]+)\]\(([^)#\s]+)(?:#[^)\s]*)?\)", re.M | re.S)
_ABROAD = re.compile(r"""(["'`])https?://(?!www\.w3\.org/)[\w-]+\.[\w.-]+[^"'`\s]*""")
VERSION = f"taskq {__version__}"
"""What the footer of each page says."""
_LIMIT = 300
"""Seconds that Zensical may take; it takes a few."""


def build(site: Path) -> list[str]:
    """Build the site in a folder, which is emptied; return what is wrong with it."""
    with tempfile.TemporaryDirectory(prefix="taskq-docs-") as temporary:
        folder = Path(temporary).resolve()
        pages = folder / "docs"
        collect(pages)
        config = folder / "mkdocs.yml"
        config.write_text(json.dumps(configuration(pages)), encoding="utf-8")
        command = [sys.executable, "-m", "zensical", "build", "--strict", "-f", str(config)]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_LIMIT, check=False
        )
        if done.returncode:
            return _complaints(done.stdout + done.stderr)
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(folder / "site", site)
        for path in site.rglob("*.js"):
            path.write_text(_at_home(path.read_text(encoding="utf-8")), encoding="utf-8")
        for path in pages.rglob("*.md"):
            shutil.copyfile(path, site / path.relative_to(pages))
        (site / "llms.txt").write_text(llms.index(pages), encoding="utf-8")
        (site / "llms-full.txt").write_text(llms.everything(pages), encoding="utf-8")
    return check_site.faults(site) + check_site.pages_without(site, VERSION)


def _complaints(output: str) -> list[str]:
    """Return what Zensical says of the pages: a place, and what is wrong there."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    found = re.findall(r"^Warning: (.*)\n.*\[ (\S+) \]", plain, re.MULTILINE)
    return [f"docs/{place}: {words}" for words, place in found] or [plain]


def collect(folder: Path) -> None:
    """Put all pages into a folder, those included that are made for the site only."""
    shutil.copytree(DOCS, folder)
    (folder / "changelog.md").write_text(changelog_page.page(), encoding="utf-8")
    (folder / "reference").mkdir()
    for name in reference_page.MODULES:
        text = reference_page.page(name)
        (folder / "reference" / f"{name}.md").write_text(text, encoding="utf-8")
    for path in folder.rglob("*.md"):
        here = DOCS / path.relative_to(folder)
        path.write_text(_within(path.read_text(encoding="utf-8"), here), encoding="utf-8")


def _within(text: str, here: Path) -> str:
    """Return a page whose links to files of the repository are their paths, as plain text."""

    def inside(match: re.Match[str]) -> str:
        target = (here.parent / match[2]).resolve()
        if re.match(r"\w+:", match[2]) or target.is_relative_to(DOCS):
            return match[0]
        return f"{match[1]} (`{target.relative_to(ROOT)}`)" if target.exists() else match[0]

    return _BLOCK_OR_LINK.sub(lambda match: inside(match) if match[2] else match[0], text)


def _at_home(script: str) -> str:
    """Return a script of Zensical without the places that it fetches rarely used parts from."""
    return _ABROAD.sub(r"\1about:blank", script)


def configuration(pages: Path) -> dict[str, Any]:
    """Return the configuration, which MkDocs with its Material theme reads as well."""
    navigation: list[dict[str, Any]] = [{title_in(pages / HOME): HOME}]
    for section, listed in sections(pages).items():
        entries = [_entry(pages, page) for page in listed]
        if entries:
            navigation.append({section: entries})
    return {
        "site_name": "taskq",
        "copyright": VERSION,
        "site_url": "",
        "use_directory_urls": False,
        "nav": navigation,
        "theme": {
            "name": "material",
            "language": "en",
            "font": False,
            "features": ["navigation.footer", "navigation.tabs", "content.code.copy"],
            "palette": [
                {"media": "(prefers-color-scheme: light)", "scheme": "default"},
                {"media": "(prefers-color-scheme: dark)", "scheme": "slate"},
            ],
        },
        "extra": {"generator": False},
        "markdown_extensions": [
            *("tables", "sane_lists", "pymdownx.superfences", "pymdownx.highlight"),
            {"toc": {"permalink": True}},
        ],
    }


def _entry(pages: Path, page: Page) -> dict[str, Any]:
    name, title = page
    if name not in BELOW:
        return {title: name}
    return {title: [{title: name}, *({below_it: path} for path, below_it in below(pages, name))]}
