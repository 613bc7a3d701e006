"""One clock for all processes: monotonic time plus the offset to the database's clock."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Tell the database's time without asking the database each time.

    A step of the machine's wall clock changes nothing; `sync` is called with every heartbeat.

    Args:
        start: aware UTC, what the clock shows until the first `sync`.
        monotonic: seconds that never go back.
    """

    def __init__(
        self, start: datetime | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.monotonic = monotonic
        self.sync(start if start is not None else datetime.now(UTC))

    def sync(self, database_now: datetime, asked: float | None = None) -> None:
        """Set the clock to what the database said.

        Args:
            database_now: its answer, aware UTC.
            asked: when it was asked, by `monotonic`; it answered halfway between then and now.
        """
        heard = self.monotonic()
        self._base = database_now, heard if asked is None else (asked + heard) / 2

    def __call__(self) -> datetime:
        """Return the time, aware UTC."""
        base, at = self._base
        return base + timedelta(seconds=self.monotonic() - at)
