"""Outages of a database, in three kinds that operators mend in different ways."""

from dataclasses import dataclass
from typing import Self

from sqlalchemy.engine import URL

from taskq_server.core.database_errors import is_conflict, is_refusal
from taskq_server.core.outages import Outage, outage

_CROWDED_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class DatabaseOutages:
    """The possible outages of one database, shared by all parts of a process that use it."""

    away: Outage
    refuses: Outage
    crowded: Outage

    @classmethod
    def of(cls, url: URL) -> Self:
        """Return the records of the database at this address."""
        where = f"{url.host}:{url.port}/{url.database}"
        crowded = "too many transactions of the database want the same rows"
        return cls(
            away=outage("the database does not answer", where),
            refuses=outage("the database is read-only, or refuses to serve", where),
            crowded=outage(crowded, where, _CROWDED_SECONDS),
        )

    def of_error(self, error: Exception) -> Outage:
        """Return the outage that an error belongs to."""
        if is_conflict(error):
            return self.crowded
        return self.refuses if is_refusal(error) else self.away

    def works(self, *, writes: bool) -> None:
        """Note that a transaction was committed; `writes` tells whether it may have written."""
        self.away.works()
        if writes:
            self.refuses.works()
            self.crowded.works()
