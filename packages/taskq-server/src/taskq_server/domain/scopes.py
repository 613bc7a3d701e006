"""The scopes of a key, which say what its callers may do.

`tasks:run:<glob>` lets a caller submit to the handlers whose whole name the glob matches. `*` is
its only special character and stands for any characters; letters are compared as they are.
"""

import re
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from typing import Final

from taskq_server.domain import limits

READ: Final = "tasks:read"
WRITE: Final = "tasks:write"
OPERATE: Final = "tasks:operate"
METRICS: Final = "metrics:read"
ADMIN: Final = "admin"
RUN: Final = "tasks:run:"
"""The beginning of the scopes that name handlers."""

PLAIN = frozenset((READ, WRITE, OPERATE, METRICS, ADMIN))
"""The scopes that are complete as they are."""

RUN_ALL: Final = "tasks:run:*"
EVERYTHING = PLAIN | {RUN_ALL}
"""What a caller may do where no key is asked for."""

_GLOB = re.compile(rf"[A-Za-z0-9_.:/*-]{{1,{limits.HANDLER_LENGTH}}}")
_MOST_STARS = 8


def problem(scope: str) -> str | None:
    """Return the sentence that says why there is no such scope; None if there is."""
    if scope in PLAIN:
        return None
    glob = scope.removeprefix(RUN)
    if glob == scope:
        known = ", ".join(sorted(PLAIN))
        return f"there is no such scope: there are {known}, and {RUN}<glob of handler names>"
    if not _GLOB.fullmatch(glob) or glob.count("*") > _MOST_STARS:
        return (
            f"a glob of handler names has 1 to {limits.HANDLER_LENGTH} letters, digits, or any "
            f"of _ . : / -, and at most {_MOST_STARS} stars"
        )
    return None


def runs(scopes: Iterable[str]) -> bool:
    """Return whether these scopes let a caller submit to any handler."""
    return any(scope.startswith(RUN) for scope in scopes)


def may_run(scopes: Collection[str], handler: str) -> bool:
    """Return whether these scopes let a caller submit to a handler."""
    return RUN_ALL in scopes or any(
        fnmatchcase(handler, scope.removeprefix(RUN)) for scope in scopes if scope.startswith(RUN)
    )


def not_granted(mine: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Return the wanted scopes that a caller with `mine` cannot give to others, in order.

    A glob can be given if one of the caller's own globs is equal to it, or matches it as a text:
    all names that it matches are then matched, too.
    """
    own = frozenset(mine)
    return [
        scope
        for scope in wanted
        if scope not in own
        and not (scope.startswith(RUN) and may_run(own, scope.removeprefix(RUN)))
    ]
