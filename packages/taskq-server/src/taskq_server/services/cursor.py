"""The opaque cursor of a list: the beginning of the next page, bound to the list's filters."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from uuid import UUID

import orjson

from taskq_server.domain.errors import InvalidCursor

_BOUND_BYTES = 6
_FORM = re.compile(r"[A-Za-z0-9_-]{30}")  # 22 bytes


def write(after: UUID, wanted: object) -> str:
    """Return the cursor of the page that begins after an id.

    Args:
        after: the last id of the page before.
        wanted: the filters of the list, as orjson writes them.
    """
    return urlsafe_b64encode(after.bytes + _bound(wanted)).decode().rstrip("=")


def read(cursor: str, wanted: object) -> UUID:
    """Return the id after which the page begins.

    Raises:
        InvalidCursor: the cursor was not made by `write`, or was made for another list.
    """
    if _FORM.fullmatch(cursor) is None:
        raise InvalidCursor("the cursor cannot be read")
    raw = urlsafe_b64decode(cursor + "==")
    if write(UUID(bytes=raw[:16]), wanted) != cursor:
        raise InvalidCursor("the cursor was made for a list with other filters")
    return UUID(bytes=raw[:16])


def _bound(wanted: object) -> bytes:
    return sha256(orjson.dumps(wanted)).digest()[:_BOUND_BYTES]
