"""Two versions of one handler at the same time, as during every deploy."""

MAX_PUT_OFF = 10
"""So often in a row may a payload not fit while workers with another schema are about."""


def pause_after(put_off: int) -> float | None:
    """Return for how many seconds to put off a task whose payload does not fit; None: it fails.

    Each pause is a second longer than the one before, because most deploys are short, and all of
    them make about a minute.

    Args:
        put_off: how often in a row it was put off before.
    """
    return None if put_off >= MAX_PUT_OFF else put_off + 1.0
