"""The languages of the pages: the templates' own English, and Chinese in `translations/`."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from fastapi import Request

COOKIE: Final = "taskq-language"
ENGLISH: Final = "en"
CHINESE: Final = "zh"
LANGUAGES: Final = {ENGLISH: "English", CHINESE: "中文"}
"""What each language calls itself."""

_WISH = re.compile(
    r"\s*([A-Za-z*]{1,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?))?\s*"
)


def of(request: Request) -> str:
    """Return the language that a reader has chosen, else the first that the browser asks for."""
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    return wished(request.headers.get("accept-language", ""))


def wished(header: str) -> str:
    """Return the language that `Accept-Language` likes best (RFC 9110, section 12.5.4)."""
    liked: dict[str, float] = {}
    for each in header[:1_000].split(","):
        found = _WISH.fullmatch(each)
        if found and found[1].lower() in LANGUAGES:
            liked.setdefault(found[1].lower(), float(found[2] or 1))
    best = max(liked, key=lambda each: liked[each], default=ENGLISH)
    return best if liked.get(best, 1) > 0 else ENGLISH


@lru_cache
def translations(language: str) -> Mapping[str, str]:
    """Return what the templates' English texts are in a language."""
    folder = resources.files("taskq_server.dashboard") / "translations" / language
    if not folder.is_dir():
        return {}
    found: dict[str, str] = {}
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        found |= read(file)
    return found


def read(file: Traversable) -> dict[str, str]:
    """Return the translations in one file."""
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return found


def gettext(language: str, text: str) -> str:
    """Return a text in a language; the text itself where there is no translation."""
    return translations(language).get(text, text)


def ngettext(language: str, one: str, many: str, amount: int) -> str:
    """Return a text about an amount; a translation stands under the text about many."""
    known = translations(language)
    if many in known:
        return known[many]
    return one if amount == 1 else many
