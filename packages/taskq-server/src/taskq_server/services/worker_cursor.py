"""The opaque cursor of a list of workers: the place of a page's last worker, bound to the list."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from taskq_server.crud.live_workers import Place
from taskq_server.domain.errors import InvalidCursor

_BOUND_BYTES = 6
_FORM = re.compile(r"[A-Za-z0-9_-]{40}")  # 30 bytes: 8 of the time, 16 of the id
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def write(after: Place, namespace: str) -> str:
    """Return the cursor of the page that begins after a worker."""
    started = (after.started_at - _EPOCH) // _MICROSECOND
    bound = sha256(namespace.encode()).digest()[:_BOUND_BYTES]
    return urlsafe_b64encode(started.to_bytes(8, signed=True) + after.id.bytes + bound).decode()


def read(cursor: str, namespace: str) -> Place:
    """Return the place after which the page begins.

    Raises:
        InvalidCursor: the cursor was not made by `write`, or was made for another namespace.
    """
    if _FORM.fullmatch(cursor) is None:
        raise InvalidCursor("the cursor cannot be read")
    raw = urlsafe_b64decode(cursor)
    started = int.from_bytes(raw[:8], signed=True)
    try:
        place = Place(_EPOCH + started * _MICROSECOND, UUID(bytes=raw[8:24]))
    except OverflowError:
        raise InvalidCursor("the cursor cannot be read") from None
    if write(place, namespace) != cursor:
        raise InvalidCursor("the cursor was made for another list of workers")
    return place
