"""What a worker knows of paused queues."""

import asyncio
from collections.abc import Collection

import pytest

from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.domain.task import Queue
from taskq_server.worker.paused import PausedQueues

MAILS, OTHERS = Queue("default", "mails"), Queue("default", "others")
LIMIT = 60.0


class Rows:
    """The paused queues according to the database, and how often somebody asked."""

    def __init__(self) -> None:
        self.paused: set[Queue] = set()
        self.reads = 0
        self.is_away = False
        self.asked = asyncio.Condition()

    async def read(self, names: Collection[str]) -> set[Queue]:
        async with self.asked:
            self.reads += 1
            self.asked.notify_all()
        if self.is_away:
            raise DatabaseUnavailable
        return {queue for queue in self.paused if queue.name in names}

    async def read_again(self) -> None:
        async with self.asked:
            before = self.reads
            await asyncio.wait_for(self.asked.wait_for(lambda: self.reads > before), LIMIT)


@pytest.fixture
def rows() -> Rows:
    return Rows()


async def test_without_a_pause_nobody_asks_the_database(rows: Rows) -> None:
    known = PausedQueues(["mails"], rows.read)
    known.note(OTHERS)
    known.look(b"others")
    following = asyncio.create_task(known.follow(lambda _: None))
    await asyncio.sleep(0.05)
    following.cancel()
    assert rows.reads == 0
    assert OTHERS not in known, "it is none of this worker's queues"


async def test_a_missed_resume_is_told_by_heartbeats_and_nobody_asks(rows: Rows) -> None:
    known = PausedQueues(["mails"], rows.read)
    resumed: list[str] = []
    following = asyncio.create_task(known.follow(resumed.append))
    known.heard([MAILS], 1.0, resumed.append)
    assert MAILS in known
    await asyncio.sleep(0.05)
    assert rows.reads == 0
    known.heard([], 2.0, resumed.append)
    assert MAILS not in known
    assert resumed == ["default"]
    following.cancel()


async def test_what_was_refused_is_newer_than_the_next_heartbeat(rows: Rows) -> None:
    known = PausedQueues(["mails"], rows.read)
    resumed: list[str] = []
    known.note(MAILS)
    known.heard([], 2.0, resumed.append)
    assert MAILS in known
    known.heard([], 2.0, resumed.append)
    assert MAILS not in known
    assert resumed == ["default"]


async def test_a_look_is_newer_than_a_heartbeat_that_asked_before_it(rows: Rows) -> None:
    known = PausedQueues(["mails"], rows.read, lambda: 5.0)
    resumed: asyncio.Queue[str] = asyncio.Queue()
    known.heard([MAILS], 3.0, resumed.put_nowait)
    following = asyncio.create_task(known.follow(resumed.put_nowait))
    known.look(b"mails")
    assert await asyncio.wait_for(resumed.get(), LIMIT) == "default"
    known.heard([MAILS], 4.0, resumed.put_nowait)
    assert MAILS not in known
    known.heard([MAILS], 6.0, resumed.put_nowait)
    assert MAILS in known
    following.cancel()


async def test_a_message_makes_it_look_at_once_while_the_row_decides(rows: Rows) -> None:
    known = PausedQueues(["mails", "others"], rows.read)
    following = asyncio.create_task(known.follow(lambda _: None))
    rows.paused = {OTHERS}
    known.look(b"mails")
    await rows.read_again()
    await asyncio.sleep(0)
    assert (MAILS in known, OTHERS in known) == (False, True)
    following.cancel()


async def test_while_the_database_is_away_what_is_known_stays(rows: Rows) -> None:
    known = PausedQueues(["mails"], rows.read)
    rows.is_away = True
    known.note(MAILS)
    known.look(b"mails")
    following = asyncio.create_task(known.follow(lambda _: None))
    await rows.read_again()
    assert MAILS in known
    known.look(b"mails")
    await rows.read_again()
    assert not following.done()
    following.cancel()
