"""What a database is asked."""

from collections import Counter

from sqlalchemy import event, text

from taskq_server.core.database import Connection
from taskq_server.runtime import Runtime


class Statements:
    """Counts what a database is asked: MariaDB counts all, and SQLAlchemy what SQLite is asked.

    Args:
        runtime: Asks.
        kinds: First words of the statements that count.
    """

    def __init__(self, runtime: Runtime, *kinds: str) -> None:
        self._runtime = runtime
        self._kinds = kinds
        self._said = 0
        event.listen(runtime.database.engine.sync_engine, "before_cursor_execute", self._note)

    def _note(self, *said: object) -> None:
        self._said += str(said[2]).startswith(self._kinds)

    async def read(self) -> Counter[str]:
        """Return the numbers of now: `statements`, and of MariaDB bytes `sent` and `received`."""
        if self._runtime.database.dialect.name == "sqlite":
            return Counter(statements=self._said)

        async def ask(connection: Connection) -> dict[str, int]:
            rows = await connection.execute(text("SHOW GLOBAL STATUS"))
            return {name: int(value) for name, value in rows if value.isdigit()}

        status = await self._runtime.database.read(ask)
        sent = {"sent": status["Bytes_sent"], "received": status["Bytes_received"]}
        asked = sum(status[f"Com_{kind.lower()}"] for kind in self._kinds)
        return Counter(statements=asked, **sent)
