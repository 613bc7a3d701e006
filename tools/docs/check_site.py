"""Look at a built site: each link leads somewhere, and nothing is loaded from elsewhere."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADING = {
    **{tag: ("src", "srcset") for tag in ("img", "script", "iframe", "source", "video", "audio")},
    "embed": ("src",),
    "object": ("data",),
    "form": ("action",),
}
"""Attributes with addresses that a browser asks for by itself; of a `link`, its `rel` tells."""
LOADING_LINKS = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch"}
_IN_STYLES = re.compile(r"""(?:url\(|@import\s+)\s*["']?((?:https?:)?//[^"')\s]+)""")
_IN_SCRIPTS = re.compile(r"""["'`]((?:https?:)?//[\w-]+(?:\.[\w-]+)+[^"'`\s]*)""")
NAMESPACES = "http://www.w3.org/"
"""How names of XML begin, which no browser asks for."""


@dataclass
class Page(HTMLParser):
    """What a page links to, what it loads, and its anchors."""

    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what a tag names."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and LOADING_LINKS & set(values.get("rel", "").split()):
            self.loads.append(values.get("href", ""))
        self.loads += [values[name] for name in LOADING.get(tag, ()) if name in values]
        self.loads += _IN_STYLES.findall(values.get("style", ""))


def faults(site: Path) -> list[str]:
    """Return what is wrong, a sentence each."""
    pages = {path: _parsed(path) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        name = path.relative_to(site)
        for link in page.links:
            if not _leads(site, pages, path, link):
                found.append(f"{name}: the link {link} leads nowhere")
        for address in page.loads:
            if _is_foreign(address):
                found.append(f"{name}: {address} would be loaded from elsewhere")
            elif not _leads(site, pages, path, address):
                found.append(f"{name}: there is no {address} to load")
    return found + _foreign_in_assets(site)


def pages_without(site: Path, words: str) -> list[str]:
    """Return a sentence for each page that does not say these words."""
    return [
        f"{path.relative_to(site)}: does not say {words}"
        for path in sorted(site.rglob("*.html"))
        if words not in path.read_text(encoding="utf-8")
    ]


def _parsed(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _leads(site: Path, pages: dict[Path, Page], path: Path, link: str) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True  # to another site
    target = path
    if parts.path:
        base = site if parts.path.startswith("/") else path.parent
        target = (base / unquote(parts.path).lstrip("/")).resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return False
    anchor = unquote(parts.fragment)
    return not anchor or target not in pages or anchor in pages[target].anchors


def _is_foreign(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https")


def _foreign_in_assets(site: Path) -> list[str]:
    found = []
    for pattern, expression in (("*.css", _IN_STYLES), ("*.js", _IN_SCRIPTS)):
        for path in sorted(site.rglob(pattern)):
            for address in expression.findall(path.read_text(encoding="utf-8")):
                if not address.startswith(NAMESPACES):
                    found.append(f"{path.relative_to(site)}: names {address}")
    return found
