"""What is known at the end: the submits, the handlers' lines, the database and Redis."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from uuid import UUID

import httpx

from tests.support.mariadb import MariaDBServer
from tests.support.stack import Stack

QUEUE_PREFIX = "{taskq:"


@dataclass(slots=True)
class Submit:
    """One task that a caller wanted, under one key, with every try.

    `task_id` is as the database has it. `cancels` are the answers to a cancel, `cancelled_at` is
    when one said that the task will not run.
    """

    key: str
    handler: str
    asked_at: float
    run_at: float | None = None
    task_id: str = ""
    answers: list[int] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    answered_at: float = 0.0
    answered_by: str = ""
    cancels: list[int] = field(default_factory=list)
    cancelled_at: float | None = None
    broken: int = 0

    @property
    def accepted(self) -> bool:
        """Whether a caller was ever told that the task is stored."""
        return bool(self.ids)

    @property
    def path(self) -> str:
        """Where the API has the task."""
        return f"/tasks/{UUID(self.task_id)}"


@dataclass(frozen=True, slots=True)
class Line:
    """What a handler or a hook wrote down."""

    task_id: str
    attempt: int
    pid: int
    event: str
    at: float


@dataclass(frozen=True, slots=True)
class Row:
    """A task as the database has it at the end."""

    task_id: str
    title: str
    status: str
    attempt: int
    retries: int
    max_retries: int
    lost_count: int
    score: str
    version: int


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """An ended attempt as the database has it."""

    attempt: int
    outcome: str
    started_at: float
    finished_at: float
    retry_at: float | None
    hook_done: bool
    result: str = "NULL"


@dataclass(frozen=True, slots=True)
class Interruption:
    """Workers that were killed, stopped or cut off for some time: what they ran may be lost.

    `pids` are all their processes; those that a hook kills are known by what it writes.
    """

    workers: int
    pids: frozenset[int] = frozenset()
    since: float = 0.0
    until: float = 0.0


Counts = dict[tuple[str, str], int]
"""How many tasks of a queue have a status."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything the invariants look at.

    `concurrency` is what each worker may run at once. `stats` is what each API process says of all
    tasks that there are, of this series or not, and `counts` is how many there are.
    """

    submits: list[Submit]
    lines: list[Line]
    rows: dict[str, Row]
    ended: dict[str, list[AttemptEnded]]
    live_workers: int
    running_workers: int
    redis_keys: dict[str, int]
    interrupted: list[Interruption]
    concurrency: int
    stats: dict[str, Counts]
    counts: Counts

    @property
    def interruptions(self) -> int:
        """How many workers were interrupted."""
        return sum(one.workers for one in self.interrupted)

    def of_event(self, event: str) -> dict[str, list[Line]]:
        """The lines of one event, by task."""
        found: dict[str, list[Line]] = defaultdict(list)
        for line in self.lines:
            if line.event == event:
                found[line.task_id].append(line)
        return found

    def outcomes(self) -> dict[str, int]:
        """How often each outcome occurs."""
        found: dict[str, int] = defaultdict(int)
        for ended in self.ended.values():
            for one in ended:
                found[one.outcome] += 1
        return dict(found)

    def extra_runs(self) -> int:
        """Executions beyond the first that no charged failure explains."""
        return sum(
            max(0, len(starts) - 1 - self.rows[task_id].retries)
            for task_id, starts in self.of_event("start").items()
            if task_id in self.rows
        )


class RowMapper:
    """Read the database of a stack past its API."""

    def __init__(self, stack: Stack) -> None:
        assert stack.mariadb is not None
        self._server: MariaDBServer = stack.mariadb
        self._name = stack.database_url.rpartition("/")[2].partition("?")[0]

    def sql(self, statement: str) -> list[list[str]]:
        """The rows of a statement, as text."""
        return [line.split("\t") for line in self._server.sql(statement, self._name).splitlines()]

    def number(self, statement: str) -> int:
        """The one number that a statement answers."""
        return int(self.sql(statement)[0][0])

    def unfinished(self, prefix: str) -> dict[str, int]:
        """How many tasks of a series are in each status that is not final."""
        found = self.sql(
            f"SELECT status, COUNT(*) FROM tasks WHERE title LIKE '{prefix}%' AND status IN "
            "('queued', 'running', 'retrying') GROUP BY status"
        )
        return {status: int(count) for status, count in found}

    def pending_hooks(self, prefix: str) -> int:
        """How many hooks of a series still have to run."""
        return self.number(
            "SELECT COUNT(*) FROM task_attempts JOIN tasks ON tasks.id = task_id "
            f"WHERE title LIKE '{prefix}%' AND hook_done_at IS NULL"
        )

    def rows(self, prefix: str) -> dict[str, Row]:
        """The tasks of a series."""
        columns = "title, status, attempt, current_retry_count, max_retries, lost_count, score"
        found = self.sql(
            f"SELECT id, {columns}, version FROM tasks WHERE title LIKE '{prefix}%' ORDER BY id"
        )
        return {row[0]: _row(row) for row in found}

    def ended(self, prefix: str) -> dict[str, list[AttemptEnded]]:
        """The ended attempts of a series, by task, in order."""
        columns = "outcome, a.started_at, a.finished_at, retry_at, hook_done_at, result"
        found: dict[str, list[AttemptEnded]] = defaultdict(list)
        for row in self.sql(
            f"SELECT task_id, a.attempt, {columns} FROM task_attempts a JOIN tasks ON "
            f"tasks.id = task_id WHERE title LIKE '{prefix}%' ORDER BY task_id, a.attempt"
        ):
            started, finished, retry = map(_moment, row[3:6])
            assert started is not None
            assert finished is not None
            found[row[0]].append(
                AttemptEnded(
                    int(row[1]), row[2], started, finished, retry, row[6] != "NULL", row[7]
                )
            )
        return dict(found)

    def counts(self) -> Counts:
        """How many tasks there are in all."""
        found = self.sql("SELECT queue, status, COUNT(*) FROM tasks GROUP BY queue, status")
        return {(queue, status): int(count) for queue, status, count in found}

    def leases(self) -> int:
        """How many workers have a valid lease."""
        return self.number("SELECT COUNT(*) FROM workers WHERE lease_until >= UTC_TIMESTAMP(6)")

    def kill_connections(self) -> None:
        """End every connection of this stack, as a proxy that restarts would."""
        for (number,) in self.sql(
            "SELECT id FROM information_schema.processlist "
            "WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        ):
            with suppress(RuntimeError):  # it has ended meanwhile
                self.sql(f"KILL {number}")

    def connections(self) -> int:
        """How many connections the database has open for this stack."""
        return self.number(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE()"
        )


def read_lines(ledger: Path) -> Iterator[Line]:
    """What the handlers wrote so far; a line that is cut off does not count."""
    if not ledger.exists():
        return
    for text in ledger.read_text(encoding="ascii").splitlines(keepends=True):
        if text.endswith("\n"):
            task_id, attempt, pid, event, at = text.split()
            yield Line(task_id.replace("-", ""), int(attempt), int(pid), event, float(at))


def redis_keys(stack: Stack) -> dict[str, int]:
    """Every key in Redis with its time to live in seconds; -1 where it has none."""
    assert stack.redis is not None
    with stack.redis.client() as client:
        names = sorted(client.scan_iter(count=1_000))
        return {name: cast(int, client.ttl(name)) for name in names}


def stats(url: str) -> Counts:
    """What an API process says of all tasks."""
    answer = httpx.get(f"{url}/stats", timeout=10, trust_env=False)
    return {
        (queue["name"], status): count
        for queue in answer.json().get("queues", [])
        for status, count in queue["tasks"].items()
        if count
    }


def _row(found: list[str]) -> Row:
    task_id, title, status, attempt, retries, max_retries, lost_count, score, version = found
    numbers = (int(attempt), int(retries), int(max_retries), int(lost_count))
    return Row(task_id, title, status, *numbers, score, int(version))


def _moment(text: str) -> float | None:
    if text == "NULL":
        return None
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


Check = Callable[[Evidence], None]
