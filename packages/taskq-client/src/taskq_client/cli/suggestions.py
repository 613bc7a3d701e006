"""What a person may have meant by a word that is wrong."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches

from taskq_client._sync import TaskqClient
from taskq_client.cli.schemas import field_names
from taskq_client.errors import TaskqError, UnknownHandler, ValidationFailed
from taskq_client.models import ListFilters

MOST_HINTS = 3


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Ask whether the nearest known word was meant; empty if none is near.

    Args:
        word: The word that is wrong.
        known: The words that are right.
    """
    by_lower = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[near[0]]!r}?)" if near else ""


def hinted(
    client: TaskqClient, error: ValidationFailed, handler: str, payload: Mapping[str, object]
) -> ValidationFailed:
    """Add to the refusal of a submit the handler, or the fields, that may have been meant.

    Args:
        client: The client of the server that refused.
        error: The refusal.
        handler: The name of the handler, as it was written.
        payload: The payload, as it was written.
    """
    hint = ""
    with suppress(TaskqError):
        known = {each.name: each for each in client.handlers()}
        if isinstance(error, UnknownHandler):
            hint = did_you_mean(handler, known)
        elif error.code == "invalid-payload" and handler in known:
            fields = field_names(known[handler])
            wrong = [name for name in payload if name not in fields]
            hint = "".join(did_you_mean(name, fields) for name in wrong[:MOST_HINTS])
    detail = f"{error.detail.rstrip('.')}{hint}"
    facts = (error.request_id, error.errors, error.retry_after)
    return type(error)(error.status, error.code, error.title, detail, *facts)


def unknown_filters(client: TaskqClient, filters: ListFilters) -> Iterator[str]:
    """Say which filters of a list that found nothing name what the server does not have.

    Args:
        client: The client of the server.
        filters: The filters.
    """
    if handlers := filters.get("handler"):
        yield from _unknown("handler", handlers, (each.name for each in client.handlers()))
    if queues := filters.get("queue"):
        yield from _unknown("queue", queues, (each.name for each in client.stats().queues))
    if tags := filters.get("tag"):
        yield from _unknown("tag", tags, (each.name for each in client.tags()))


def _unknown(kind: str, given: str | Iterable[str], known: Iterable[str]) -> Iterator[str]:
    names = set(known)
    for name in [given] if isinstance(given, str) else given:
        if name not in names:
            yield f"there is no {kind} {name!r}{did_you_mean(name, names)}"
