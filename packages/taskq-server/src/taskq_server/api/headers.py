"""The grammar of the request headers that mean something here."""

import re
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import StringConstraints

from taskq_server.api.errors import InvalidHeader
from taskq_server.domain import limits

KeyText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=limits.IDEMPOTENCY_KEY_LENGTH, pattern=r"^[ -~]*$"),
]
"""The value of `Idempotency-Key`."""

_PREFERENCE = re.compile(r'([\w-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s;,"]*)))?[^,]*(?:,|\Z)')
_SECONDS = re.compile(r"[0-9]{1,9}")
_ENTITY_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|\Z)')


@dataclass(frozen=True, slots=True)
class Preferences:
    """The preferences of a request; unknown ones are ignored, as RFC 7240 says."""

    wait: int | None = None
    minimal: bool = False

    @classmethod
    def parse(cls, value: str) -> Self:
        """Read the header; of equal preferences the first counts, `wait` is at most 60 s."""
        found: dict[str, str] = {}
        for match in _PREFERENCE.finditer(value):
            found.setdefault(match[1].lower(), match[2] or match[3] or "")
        seconds = found.get("wait", "")
        wait = int(seconds) if _SECONDS.fullmatch(seconds) else None
        return cls(
            None if wait is None else min(wait, limits.WAIT_SECONDS),
            found.get("return", "").lower() == "minimal",
        )


@dataclass(frozen=True, slots=True)
class EntityTags:
    """The value of `If-Match` or `If-None-Match` (RFC 9110, sections 13.1.1 and 13.1.2)."""

    any: bool
    strong: frozenset[str]
    weak: frozenset[str]

    @classmethod
    def parse(cls, name: str, value: str) -> Self:
        """Read the header called `name`.

        Raises:
            InvalidHeader: it is neither `*` nor a list of entity tags.
        """
        if value.strip() == "*":
            return cls(True, frozenset(), frozenset())
        tags: dict[bool, set[str]] = {False: set(), True: set()}
        end = 0
        while match := _ENTITY_TAG.match(value, end):
            tags[match[1] is not None].add(match[2])
            end = match.end()
        if end < len(value) or not value:
            raise InvalidHeader(name, 'must be "*" or a list of quoted entity tags')
        return cls(False, frozenset(tags[False]), frozenset(tags[True]))

    def match_strongly(self, version: int) -> bool:
        """Say whether one of them is this version; a weak tag never is."""
        return self.any or str(version) in self.strong

    def match_weakly(self, version: int) -> bool:
        """Say whether one of them is this version, weak tags too."""
        return self.match_strongly(version) or str(version) in self.weak


def entity_tag(version: int) -> str:
    """Return the strong entity tag of a version."""
    return f'"{version}"'
