"""Version skew: live workers with two schemas of one handler, as during every deploy."""

from collections.abc import Iterable
from dataclasses import dataclass

MAX_PUT_OFF = 10
"""Most times in a row that a task is put off because its payload does not fit its worker's schema
while live workers have another one."""


def pause_after(put_off: int) -> float | None:
    """Return for how many seconds to put off a task whose payload does not fit; None to fail it.

    Each pause is a second longer than the last, because most deploys are short; the pauses add up
    to about a minute.

    Args:
        put_off: how often in a row the task was put off before.
    """
    return None if put_off >= MAX_PUT_OFF else put_off + 1.0


@dataclass(frozen=True, slots=True)
class Version:
    """A handler's schema in one worker, and the older schemas that it is known to have replaced."""

    schema: str
    replaced: frozenset[str] = frozenset()


def succession(own: Version, published: str | None, live: Iterable[Version]) -> Version | None:
    """Return a worker's version if it is, or becomes, the published version.

    Args:
        own: the worker's version.
        published: the schema that is published now; None if there is none.
        live: the versions of live workers.

    Returns:
        None if a live worker has published a newer version.
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
