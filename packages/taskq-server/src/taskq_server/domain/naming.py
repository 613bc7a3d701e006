"""Names of handlers and queues, which are safe in URLs, logs and Redis keys, and of namespaces."""

import difflib
import re
from collections.abc import Collection

from taskq_server.domain import limits
from taskq_server.domain.caller import ALL_NAMESPACES

_MOST_NAMED = 10

NAME_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.:/-]*$"

DECLARED = "code:"
"""How the names of schedules begin that code declares; the name of their handler follows."""

SCHEDULE_PATTERN = (
    rf"^(?:[A-Za-z0-9._-]{{1,{limits.SCHEDULE_NAME_LENGTH}}}"
    rf"|{DECLARED}[A-Za-z0-9_][A-Za-z0-9_.:/-]{{0,{limits.HANDLER_LENGTH - 1}}})$"
)
"""The names of schedules, those included that code declares."""


def is_name(text: str, longest: int) -> bool:
    """Return whether a text is a valid name of at most `longest` characters."""
    return len(text) <= longest and re.fullmatch(NAME_PATTERN, text) is not None


def is_namespace(text: str) -> bool:
    """Return whether a namespace may be made with this name."""
    fits = 0 < len(text) <= limits.NAMESPACE_LENGTH and text != ALL_NAMESPACES
    return fits and text.isprintable() and not any(map(str.isspace, text))


def no_such_namespace(name: str, known: Collection[str]) -> str:
    """Return the sentence that a namespace does not exist, with the nearest one that does."""
    meant = difflib.get_close_matches(name, known, n=1)
    if meant:
        return f"there is no namespace {name}: did you mean {meant[0]}?"
    some = sorted(known)[:_MOST_NAMED]
    more = f" and {len(known) - len(some)} more" if len(known) > len(some) else ""
    return f"there is no namespace {name}: there are {', '.join(some)}{more}"
