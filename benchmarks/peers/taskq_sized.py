"""taskq beside itself: with few and many rows and processes, and with more room for tasks."""

from collections.abc import Mapping
from typing import ClassVar

from benchmarks import seed
from benchmarks.peers.taskq import Taskq
from taskq_server.broker.names import Names

_CHUNK = 20_000


class Few(Taskq):
    """10,000 rows."""

    name = "10,000"
    rows: ClassVar[int] = 10_000

    def seed_queue(self) -> None:
        """Queue all rows, with their doorbells."""
        seed.seed_tasks(self.sql, self.rows, queued=True)
        ((deployment,),) = self.sql.run("SELECT id FROM deployment")
        queue = Names("taskq", deployment).queue("default", "default")
        with self.servers.valkey.client() as client:
            for first in range(1, self.rows + 1, _CHUNK):
                numbers = range(first, min(first + _CHUNK, self.rows + 1))
                client.zadd(queue, {_bell(n): seed.score_of(n) for n in numbers})

    def seed_list(self) -> None:
        """Rows of every status and priority, with tags."""
        seed.seed_tasks(self.sql, self.rows)
        seed.seed_tags(self.sql, self.rows)
        self.sql.run("ANALYZE TABLE tasks, task_tags")


class Many(Few):
    """A million rows."""

    name = "1 million"
    rows = 1_000_000


class Roomy(Taskq):
    """300 attempts at once: larger batches, as pgqueuer has them, for tasks that take no time."""

    name = "taskq-300"

    @property
    def environment(self) -> Mapping[str, str]:
        return {**super().environment, "TASKQ_CONCURRENCY": "300"}


class OneEach(Taskq):
    """One API process, one worker."""

    name = "1 + 1"
    apis: ClassVar[int] = 1
    workers: ClassVar[int] = 1

    def start_all(self) -> list[int]:
        """Start all processes and return the ports of the APIs."""
        ports = []
        for _ in range(self.apis):
            self.start_api()
            ports.append(self.port)
        for _ in range(self.workers):
            self.start_worker()
        return ports

    def conflicts(self) -> int:
        """How many transactions were rolled back for a deadlock since the server started."""
        (row,) = self.sql.run("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
        return int(row[1])


class TwoThree(OneEach):
    """Two API processes, three workers."""

    name = "2 + 3 processes"
    apis = 2
    workers = 3


def _bell(number: int) -> str:
    text = seed.id_of(number)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}:1"
