"""What a check finds, and whom it examines."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

from taskq_server.broker.connection import Redis
from taskq_server.core.config import Settings
from taskq_server.core.database import Database

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is examined, by a process with these settings.

    Attributes:
        settings: of the process.
        database: of the settings; it need not answer.
        redis: of the settings, if they name one; it need not answer.
        wall: the clock of this machine, in seconds since 1970.
    """

    settings: Settings
    database: Database
    redis: Redis | None
    wall: Callable[[], float]


class Outcome(StrEnum):
    """How a check ended."""

    WELL = "well"
    WRONG = "wrong"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, in a sentence; one about something wrong says what to do."""

    outcome: Outcome
    says: str


def well(says: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(Outcome.WELL, says)


def wrong(says: str) -> Finding:
    """Return that something has to be changed."""
    return Finding(Outcome.WRONG, says)


def skipped(says: str) -> Finding:
    """Return that there was nothing to examine."""
    return Finding(Outcome.SKIPPED, says)


def some_of(names: Collection[str]) -> str:
    """Return the first names of many, and the number of the others."""
    first = sorted(names)[:_MOST_NAMED]
    more = len(names) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")
