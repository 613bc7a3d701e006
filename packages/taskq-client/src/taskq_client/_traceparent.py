"""The grammar of `traceparent`, as in W3C Trace Context, level 2; the server's is the same."""

import re

_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_CURRENT_VERSION = "00"
_KNOWN_FLAGS = 0b11  # sampled, random


def valid_traceparent(value: str) -> str | None:
    """Return a context to pass on, in the form of version 00, or None if the value is none."""
    found = _TRACEPARENT.fullmatch(value.strip(" \t"))
    if found is None:
        return None
    version, trace_id, parent_id, flags, more = found.groups()
    if version == _CURRENT_VERSION and more is not None:
        return None
    return f"{_CURRENT_VERSION}-{trace_id}-{parent_id}-{int(flags, 16) & _KNOWN_FLAGS:02x}"
