"""Who is told how a process's database and Redis do; the core counts nothing itself."""

from typing import Literal, Protocol

DatabaseFailure = Literal["conflict", "refused", "away", "other"]
"""The kind of an error of the database: another transaction was in the way and this one may run
again; the server refuses writes, or everything; it does not answer; or something else is wrong."""

RedisFailure = Literal["refused", "away"]
"""The kind of an error of Redis: it answers with an error, or it does not answer."""


class Observer(Protocol):
    """Is told of what happens, on any thread; it must neither block nor raise."""

    def batch_committed(self, group: str, items: int, seconds: float) -> None:
        """Note that a group commit has served a batch.

        Args:
            group: the name of the group commit.
            items: of the batch.
            seconds: that the transaction took.
        """

    def database_failed(self, kind: DatabaseFailure) -> None:
        """Note an error of the database, one that a second try mended included."""

    def redis_failed(self, kind: RedisFailure) -> None:
        """Note an error of Redis."""

    def loop_lagged(self, seconds: float) -> None:
        """Note by how many seconds the event loop was late."""


class Nobody:
    """The observer of a process that counts nothing."""

    def batch_committed(self, group: str, items: int, seconds: float) -> None:
        """Ignore it."""

    def database_failed(self, kind: DatabaseFailure) -> None:
        """Ignore it."""

    def redis_failed(self, kind: RedisFailure) -> None:
        """Ignore it."""

    def loop_lagged(self, seconds: float) -> None:
        """Ignore it."""


NOBODY = Nobody()
