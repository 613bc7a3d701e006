"""The opaque cursor of a list: where the next page begins, bound to the filters it was made for."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from uuid import UUID

from taskq_server.domain.errors import InvalidCursor
from taskq_server.schemas.query import TaskQuery

_BOUND_BYTES = 6
_FORM = re.compile(r"[A-Za-z0-9_-]{30}")  # 22 bytes


def write(after: UUID, query: TaskQuery) -> str:
    """Return the cursor that goes on after a task."""
    return urlsafe_b64encode(after.bytes + _bound(query)).decode().rstrip("=")


def read(cursor: str, query: TaskQuery) -> UUID:
    """Return the task after which the page begins.

    Raises:
        InvalidCursor: it was not made by `write`, or for another list.
    """
    if _FORM.fullmatch(cursor) is None:
        raise InvalidCursor("the cursor cannot be read")
    raw = urlsafe_b64decode(cursor + "==")
    if write(UUID(bytes=raw[:16]), query) != cursor:
        raise InvalidCursor("the cursor was made for a list with other filters")
    return UUID(bytes=raw[:16])


def _bound(query: TaskQuery) -> bytes:
    filters = query.model_dump_json(exclude={"cursor", "limit"})
    return sha256(filters.encode()).digest()[:_BOUND_BYTES]
