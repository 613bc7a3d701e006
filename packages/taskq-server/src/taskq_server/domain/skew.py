"""Two versions of one handler at the same time, as during every deploy."""

from collections.abc import Iterable
from dataclasses import dataclass

MAX_PUT_OFF = 10
"""So often in a row may a payload not fit while workers with another schema are about."""


def pause_after(put_off: int) -> float | None:
    """Return for how many seconds to put off a task whose payload does not fit; None: it fails.

    Each pause is a second longer than the one before, because most deploys are short, and all of
    them make about a minute.

    Args:
        put_off: how often in a row it was put off before.
    """
    return None if put_off >= MAX_PUT_OFF else put_off + 1.0


@dataclass(frozen=True, slots=True)
class Version:
    """The schema of a handler in one worker, and those that it has replaced, as far as known."""

    schema: str
    replaced: frozenset[str] = frozenset()


def succession(own: Version, published: str | None, live: Iterable[Version]) -> Version | None:
    """Return a worker's version if it is, or becomes, the published one.

    Args:
        own: of the worker.
        published: the schema that is published now, if there is one.
        live: the versions of live workers.

    Returns:
        None if a live worker has published another one since.
    """
    holders = [one for one in live if one.schema == published]
    older = frozenset[str]().union(*(one.replaced for one in holders))
    if published is None:
        return own
    if published == own.schema:
        return Version(own.schema, (own.replaced | older) - {own.schema})
    if holders and own.schema in older:
        return None
    return Version(own.schema, (own.replaced | older | {published}) - {own.schema})
