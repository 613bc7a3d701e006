"""Names of handlers and queues: safe in URLs, logs and Redis keys."""

import re

NAME_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.:/-]*$"


def is_name(text: str, longest: int) -> bool:
    """Return whether a text is a valid name of at most `longest` characters."""
    return len(text) <= longest and re.fullmatch(NAME_PATTERN, text) is not None
