"""What a database says of itself, for the check of a deployment."""

import re
from dataclasses import dataclass

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """A database server as one session of taskq sees it. None stands for what it does not have.

    Attributes:
        product: its name.
        version: of the server.
        oldest: the oldest version that runs taskq's statements.
        character_set: the default of new tables in this database.
        isolation: the isolation of taskq's own session.
        usual_isolation: the isolation of sessions that do not choose one.
        read_only: the variable that keeps it from writing.
        binlog_format: how it logs writes for replicas, if it logs them.
        most_connections: that it accepts of this account.
    """

    product: str
    version: Version
    oldest: Version
    character_set: str | None = None
    isolation: str | None = None
    usual_isolation: str | None = None
    read_only: str | None = None
    binlog_format: str | None = None
    most_connections: int | None = None


def numbers(version: str) -> Version:
    """Return the numbers at the beginning of a version, at most three."""
    found = re.match(r"\d+(?:\.\d+){0,2}", version)
    return tuple(map(int, found[0].split("."))) if found else ()
