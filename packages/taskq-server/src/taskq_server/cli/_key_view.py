"""API keys as people and programs read them."""

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import click

from taskq_server.core.log_text import escaped_text
from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.domain.keys import ApiKey
from taskq_server.domain.limits import KEY_SCHEDULES
from taskq_server.schemas.key import KeyRead
from taskq_server.services.keys import Made

_WIDEST = 100
_INDENT = " " * 4


def as_json(key: ApiKey) -> dict[str, Any]:
    """Return a key for programs, as `GET /keys/{id}` has it."""
    return KeyRead.of(key).model_dump(mode="json")


def listed(keys: Sequence[ApiKey], now: datetime, columns: int) -> str:
    """Return some lines for each key."""
    width = min(columns, _WIDEST)
    lines = []
    for key in keys:
        lines += _wrapped(f"{key.id}  {escaped_text(key.name)}", width, "", " " * 14)
        lines += _wrapped(f"{_world(key)}: {', '.join(key.scopes)}", width, _INDENT, _INDENT)
        lines += _wrapped(", ".join(_history(key, now)), width, _INDENT, _INDENT)
    return "\n".join([*lines, "", f"{len(keys)} key{'' if len(keys) == 1 else 's'}"])


def one(key: ApiKey, now: datetime, columns: int) -> str:
    """Return all that is known of a key."""
    width = min(columns, _WIDEST)
    facts = dict(_facts(key, now))
    label = max(map(len, facts))
    lines = [click.style(key.id, bold=True)]
    for name, value in facts.items():
        lines += _wrapped(value, width, f"  {name:<{label}}  ", " " * (label + 4))
    return "\n".join(lines)


def about_new(key: ApiKey, *, is_first: bool) -> str:
    """Return the sentence that goes with a new key."""
    first = " It is the first: from now on the API asks for keys." if is_first else ""
    return (
        f"Keep this key, because it is shown only now: {key.id}, {escaped_text(key.name)}, for "
        f"{_world(key)}, with {', '.join(key.scopes)}.{first}"
    )


def about_rotated(key: ApiKey) -> str:
    """Return the sentence that goes with a new secret."""
    before = "The secret before opens nothing any more."
    if key.previous_until is not None:
        before = f"The secret before opens until {moment(key.previous_until)}."
    return f"Keep this key, because it is shown only now: {key.id} has a new secret. {before}"


def about_made(made: Made) -> Iterator[str]:
    """Yield sentences about what goes on of what a revoked key has made."""
    if made.operations:
        named = ", ".join(
            f"{each.id} ({each.action} in {each.namespace})" for each in made.operations
        )
        yield (
            f"Bulk operations that it has made go on: {named}. `taskq bulk stop ID` stops one, "
            "with another key."
        )
    if made.schedules:
        named = ", ".join(f"{each.name} (in {each.namespace})" for each in made.schedules)
        some = "Some of the schedules" if len(made.schedules) == KEY_SCHEDULES else "Schedules"
        yield (
            f"{some} that it has set fire on: {named}. `taskq schedules delete NAME` ends one, "
            "with another key."
        )


def moment(value: datetime | None) -> str:
    """Return a time for people; there is one."""
    return "" if value is None else f"{value:%Y-%m-%d %H:%M:%S} UTC"


def for_stderr(sentence: str) -> str:
    """Return a sentence, in lines if people read it on a terminal."""
    if not sys.stderr.isatty():
        return sentence
    return textwrap.fill(sentence, min(shutil.get_terminal_size().columns, _WIDEST))


def _facts(key: ApiKey, now: datetime) -> Iterator[tuple[str, str]]:
    yield "name", escaped_text(key.name)
    yield "namespace", _world(key)
    yield "scopes", ", ".join(key.scopes)
    yield "rate", key.rate_limit or "the server's default"
    yield "made", moment(key.created_at)
    yield "last used", moment(key.last_used_at) or "never"
    yield "expires", moment(key.expires_at) or "never"
    if key.previous_until is not None and key.previous_until > now:
        yield "overlap", f"the secret before opens until {moment(key.previous_until)}"
    if key.revoked_at is not None:
        yield "revoked", moment(key.revoked_at)


def _history(key: ApiKey, now: datetime) -> Iterator[str]:
    yield f"made {key.created_at:%Y-%m-%d}"
    used = key.last_used_at
    yield "never used" if used is None else f"last used {used:%Y-%m-%d %H:%M}"
    if key.revoked_at is not None:
        yield f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
    elif key.expires_at is not None:
        word = "expires" if key.expires_at > now else "expired"
        yield f"{word} {key.expires_at:%Y-%m-%d %H:%M}"


def _world(key: ApiKey) -> str:
    if key.namespace == ALL_NAMESPACES:
        return "all namespaces (operator)"
    return escaped_text(key.namespace)


def _wrapped(text: str, width: int, first: str, other: str) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=other, break_on_hyphens=False
    )
