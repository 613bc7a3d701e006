"""The opaque cursor of a list of schedules: a page's last name, bound to the list's filters."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

import orjson

from taskq_server.domain.errors import InvalidCursor

_BOUND_BYTES = 6


def write(after: str, wanted: object) -> str:
    """Return the cursor of the page that begins after the schedule of a name.

    Args:
        after: the last name of the page before.
        wanted: the namespace and the filters of the list, as orjson writes them.
    """
    bound = sha256(orjson.dumps(wanted)).digest()[:_BOUND_BYTES]
    return urlsafe_b64encode(bound + after.encode()).decode().rstrip("=")


def read(cursor: str, wanted: object) -> str:
    """Return the name after which the page begins.

    Raises:
        InvalidCursor: the cursor was not made by `write`, or was made for another list.
    """
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        after = raw[_BOUND_BYTES:].decode("ascii")
    except (UnicodeError, binascii.Error):
        raise InvalidCursor("the cursor cannot be read") from None
    if write(after, wanted) != cursor:
        raise InvalidCursor("the cursor was made for another list of schedules")
    return after
