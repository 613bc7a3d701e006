"""The opaque cursor of a list of keys: the last key of a page, bound to the list's namespace.

Keys are never deleted, so the id of the last one is all that the next page has to know.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

from taskq_server.domain.errors import InvalidCursor

_BOUND_BYTES = 6
_FORM = re.compile(r"[A-Za-z0-9_-]{24}")  # 18 bytes


def write(after: str, namespace: str | None) -> str:
    """Return the cursor of the page that begins after the key of an id."""
    bound = sha256(repr(namespace).encode()).digest()[:_BOUND_BYTES]
    return urlsafe_b64encode(after.encode() + bound).decode()


def read(cursor: str, namespace: str | None) -> str:
    """Return the id of the key after which the page begins.

    Raises:
        InvalidCursor: the cursor was not made by `write`, or was made for another namespace.
    """
    if _FORM.fullmatch(cursor) is None:
        raise InvalidCursor("the cursor cannot be read")
    after = urlsafe_b64decode(cursor)[:-_BOUND_BYTES].decode("latin-1")
    if write(after, namespace) != cursor:
        raise InvalidCursor("the cursor was made for another list of keys")
    return after
