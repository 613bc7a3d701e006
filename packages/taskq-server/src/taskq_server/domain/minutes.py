"""Minutes: which one a moment is in, and what is kept of each.

A minute is a number, counted from the beginning of 1970 (UTC). It belongs to the database's clock,
as all stored times do, so that the minutes of all processes are the same.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from taskq_server.domain import limits
from taskq_server.domain.task import ERRORS, Outcome

KEPT = limits.HISTORY_MINUTES
"""For how many minutes what happened in each is kept."""

LATELY = 5
"""The minutes over which throughput and run time are averaged, the present one included."""

RAN = frozenset({Outcome.SUCCEEDED, *ERRORS})
"""The outcomes of attempts that ran to an end of their own. Throughput and run time are theirs: an
attempt that was released or cancelled says nothing of how much work is done, and how fast."""


class QueueMinute(NamedTuple):
    """One queue in one minute."""

    namespace: str
    minute: int
    queue: str


class Ends(NamedTuple):
    """Attempts that ended, and the sum of their run times in milliseconds."""

    number: int
    run_milliseconds: int

    def plus(self, number: int, run_milliseconds: int) -> "Ends":
        """Return the sums with these attempts, too."""
        return Ends(self.number + number, self.run_milliseconds + run_milliseconds)

    @property
    def run_seconds_mean(self) -> float | None:
        """The mean of the run times; None without attempts."""
        return self.run_milliseconds / 1000 / self.number if self.number else None


NO_ENDS = Ends(0, 0)

EndsOfMinutes = Mapping[QueueMinute, Mapping[Outcome, Ends]]
"""What ended in each queue and minute, by outcome."""


def minute_of(moment: datetime) -> int:
    """Return the minute that a moment (aware) is in."""
    return int(moment.timestamp()) // 60


def start_of(minute: int) -> datetime:
    """Return the moment, aware UTC, with which a minute begins."""
    return datetime.fromtimestamp(minute * 60, UTC)
