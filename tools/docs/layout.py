"""Which pages the site has, in which order."""

import re
from collections.abc import Mapping
from pathlib import Path

LAYOUT: Mapping[str, tuple[str, ...]] = {
    "Learn": (
        "start.md",
        "handlers.md",
        "client.md",
        "unique-work.md",
        "compare.md",
        "not-yet.md",
    ),
    "How to": (
        "how-to/cpu-bound.md",
        "how-to/slow-services.md",
        "how-to/one-at-a-time.md",
        "how-to/idempotent-handlers.md",
        "how-to/big-payloads.md",
        "how-to/many-tasks.md",
        "how-to/testing.md",
        "how-to/fastapi.md",
        "how-to/from-celery.md",
        "how-to/from-arq.md",
        "how-to/upgrading.md",
    ),
    "Operate": (
        "deploy.md",
        "keys.md",
        "dashboard.md",
        "operate.md",
        "queues.md",
        "schedules.md",
        "schedules-in-code.md",
        "time-zones.md",
        "metrics.md",
        "traces.md",
        "settings.md",
        "guarantees.md",
        "performance.md",
    ),
    "Look up": (
        "http.md",
        "scopes.md",
        "cli.md",
        "problems/index.md",
        "reference/server.md",
        "reference/client.md",
        "changelog.md",
    ),
    "Inside": ("architecture.md", "statements.md", "decisions/README.md"),
    "中文": ("zh/start.md", "zh/handlers.md", "zh/deploy.md", "zh/keys.md"),
}
"""The sections of the site; below `problems/index.md` and the decisions come all that there are."""

HOME = "index.md"
BELOW = {"problems/index.md": "problems/*.md", "decisions/README.md": "decisions/*.md"}

SITE_ONLY = ("changelog.md", "reference/server.md", "reference/client.md")
"""Pages that are made when the site is built, so that docs/ does not have them."""

Page = tuple[str, str]
"""A path below docs/, and the title."""


def sections(folder: Path) -> dict[str, list[Page]]:
    """Return the sections with those of their pages that a folder has."""
    return {
        section: [(name, title) for name in names if (title := title_in(folder / name))]
        for section, names in LAYOUT.items()
    }


def below(folder: Path, name: str) -> list[Page]:
    """Return the pages below one that lists others."""
    paths = sorted(folder.glob(BELOW[name])) if name in BELOW else []
    named = [(str(path.relative_to(folder)), title_in(path)) for path in paths]
    return [(path, title) for path, title in named if path != name]


def missing(folder: Path) -> list[str]:
    """Return the pages of the layout that a folder does not have."""
    return [name for names in LAYOUT.values() for name in names if not (folder / name).exists()]


def unlisted(folder: Path) -> list[str]:
    """Return the pages of a folder that no reader of the site would find."""
    listed = {HOME, *(name for names in LAYOUT.values() for name in names)}
    listed |= {path for name in BELOW for path, _ in below(folder, name)}
    pages = {str(path.relative_to(folder)) for path in folder.rglob("*.md")}
    return sorted(pages - listed)


def title_in(path: Path) -> str:
    """Return the title of a page, without its backticks; nothing where there is no page."""
    if not path.exists():
        return ""
    found = re.search(r"^# (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise LookupError(f"{path.name}: give it a title, a first line with `# ` in front")
    return found[1].replace("`", "")
