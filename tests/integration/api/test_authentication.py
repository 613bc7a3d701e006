"""What is read of keys: when, how often, by how many statements, and for how long it counts."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.clock import Clock
from taskq_server.core.database import Database
from taskq_server.crud.tables import api_keys
from taskq_server.domain.errors import DatabaseUnavailable, Unauthenticated
from taskq_server.domain.keys import Token, new_token
from taskq_server.runtime import Runtime
from taskq_server.services.authentication import (
    FRESH_SECONDS,
    RECENT_SECONDS,
    Authentication,
)
from tests.integration.api.keys import make_key

T = TypeVar("T")
NOBODY = Token("A" * 12, "A" * 43)


class Watched:
    """The database of a test; a read takes as long as `seconds` says, and waits for `gate`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.observer = database.observer
        self.now = 1_000.0
        self.reads = 0
        self.seconds = 0.0
        self.gate: asyncio.Event | None = None
        self.has_read = asyncio.Event()
        self.started = datetime.now(UTC)

    async def read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        self.reads += 1
        answer = await self._database.read(work)
        self.has_read.set()
        if self.gate is not None:
            await self.gate.wait()
        self.now += self.seconds
        return answer


@pytest.fixture
def watched(runtime: Runtime) -> Watched:
    return Watched(runtime.database)


@pytest.fixture
async def authentication(watched: Watched) -> AsyncIterator[Authentication]:
    clock = Clock(watched.started, lambda: watched.now)
    database: Any = watched
    opened = Authentication(database, clock)
    yield opened
    await opened.close()


async def revoke(runtime: Runtime, token: Token) -> None:
    async def work(connection: AsyncConnection) -> None:
        values = {"revoked_at": runtime.clock()}
        await connection.execute(update(api_keys).where(api_keys.c.id == token.id).values(values))

    await runtime.database.write(work)


async def test_what_was_read_counts_for_half_a_second(
    authentication: Authentication, watched: Watched, runtime: Runtime
) -> None:
    token = await make_key(runtime, "tasks:read")
    assert authentication.known(token.text) is None
    caller = await authentication.caller(token.text)
    assert caller.key_id == token.id
    await revoke(runtime, token)
    watched.now += RECENT_SECONDS
    assert authentication.known(token.text) == caller
    watched.now += FRESH_SECONDS - RECENT_SECONDS + 0.001
    assert authentication.known(token.text) is None
    with pytest.raises(Unauthenticated):
        await authentication.caller(token.text)
    assert watched.reads == 2


async def test_a_request_that_takes_long_believes_less(
    authentication: Authentication, watched: Watched, runtime: Runtime
) -> None:
    token = await make_key(runtime, "tasks:read")
    await authentication.caller(token.text)
    watched.now += RECENT_SECONDS + 0.001
    assert authentication.known(token.text, RECENT_SECONDS) is None
    assert authentication.known(token.text) is not None


async def test_no_request_waits_for_a_key_in_use(
    authentication: Authentication, watched: Watched, runtime: Runtime
) -> None:
    tokens = [await make_key(runtime, "tasks:read") for _ in range(40)]
    await asyncio.gather(*(authentication.caller(each.text) for each in tokens))
    before = watched.reads
    for _ in range(50):  # five seconds
        watched.now += 0.1
        for each in tokens:
            assert authentication.known(each.text) is not None
        await authentication.close()  # waits for what is read ahead
        await asyncio.sleep(0)
    assert 10 <= watched.reads - before <= 5 / RECENT_SECONDS  # for all of them together


async def test_strangers_share_statements(authentication: Authentication, watched: Watched) -> None:
    texts = [new_token().text for _ in range(300)]
    answers = await asyncio.gather(*map(authentication.caller, texts), return_exceptions=True)
    assert all(isinstance(each, Unauthenticated) for each in answers)
    assert watched.reads <= 3
    for text in texts:
        with pytest.raises(Unauthenticated):
            authentication.known(text)


async def test_strangers_fill_neither_memory_nor_the_place_of_keys(
    authentication: Authentication, watched: Watched, runtime: Runtime
) -> None:
    token = await make_key(runtime, "tasks:read")
    await authentication.caller(token.text)

    async def try_many() -> int:
        for _ in range(9):
            texts = [new_token().text for _ in range(500)]
            await asyncio.gather(*map(authentication.caller, texts), return_exceptions=True)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        first = await try_many()
        second = await try_many()
    finally:
        tracemalloc.stop()
    assert second - first < 1_000_000  # 4,500 kept answers take 5 MB
    before = watched.reads
    assert authentication.known(token.text) is not None
    assert watched.reads == before


async def test_forgetting_reaches_what_is_being_read(
    authentication: Authentication, watched: Watched, runtime: Runtime
) -> None:
    token = await make_key(runtime, "tasks:read")
    watched.gate = asyncio.Event()
    early = asyncio.create_task(authentication.caller(token.text))
    await asyncio.wait_for(watched.has_read.wait(), 30)
    await revoke(runtime, token)
    watched.now += 0.01
    authentication.forget()
    late = asyncio.create_task(authentication.caller(token.text))
    watched.gate.set()
    watched.now += 0.01
    assert (await early).key_id == token.id
    with pytest.raises(Unauthenticated):
        await late


async def test_a_forged_message_causes_a_read_and_no_more(
    authentication: Authentication, watched: Watched, runtime: Runtime
) -> None:
    token = await make_key(runtime, "tasks:read")
    await authentication.caller(token.text)
    watched.now += 0.01
    authentication.forget()
    assert authentication.known(token.text) is None
    watched.now += 0.01
    assert (await authentication.caller(token.text)).key_id == token.id
    assert authentication.known(token.text) is not None
    assert watched.reads == 2


async def test_an_old_answer_is_asked_for_again_and_then_refused(
    authentication: Authentication, watched: Watched, runtime: Runtime
) -> None:
    token = await make_key(runtime, "tasks:read")
    watched.seconds = 0.9
    assert await authentication.caller(token.text)
    watched.seconds = 1.1
    watched.now += 1
    before = watched.reads
    with pytest.raises(DatabaseUnavailable):
        await authentication.caller(token.text)
    assert watched.reads - before == 2


async def test_a_key_expires_while_it_is_known(
    authentication: Authentication, watched: Watched, runtime: Runtime
) -> None:
    soon = watched.started + timedelta(seconds=30)
    token = await make_key(runtime, "tasks:read", expires_at=soon)
    watched.now += 29.8
    await authentication.caller(token.text)
    watched.now += 0.1
    assert authentication.known(token.text) is not None
    watched.now += 0.2
    with pytest.raises(Unauthenticated):
        authentication.known(token.text)
    assert watched.reads == 1


async def test_a_deployment_is_open_until_a_key_is_made_and_never_again(
    authentication: Authentication, watched: Watched, runtime: Runtime
) -> None:
    assert not await authentication.has_keys()
    token = await make_key(runtime, "tasks:read", revoked_at=runtime.clock())
    assert not await authentication.has_keys()
    watched.now += FRESH_SECONDS + 0.001
    assert await authentication.has_keys()
    before = watched.reads

    async def remove(connection: AsyncConnection) -> None:
        await connection.execute(api_keys.delete().where(api_keys.c.id == token.id))

    await runtime.database.write(remove)
    watched.now += 3_600
    authentication.forget()
    assert await authentication.has_keys()
    assert watched.reads == before


async def test_an_old_answer_opens_nothing(
    authentication: Authentication, watched: Watched
) -> None:
    watched.seconds = 1.1
    with pytest.raises(DatabaseUnavailable):
        await authentication.has_keys()


async def test_an_unknown_id_causes_the_same_work(
    authentication: Authentication, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    existing = [await make_key(runtime, "tasks:read") for _ in range(3)]
    dialect = type(runtime.database.dialect)
    execute = dialect.execute
    seen: list[tuple[str, int, int, list[type]]] = []

    async def watching(*given: Any) -> Any:
        answer = await execute(*given)
        _, _, sql, values = given
        row = answer.rows[0]
        # All but the asked id and whether it exists.
        seen.append((sql, len(values), len(answer.rows), [type(each) for each in row[2:]]))
        return answer

    monkeypatch.setattr(dialect, "execute", watching)
    for token in existing:
        for one in (Token(token.id, "A" * 43), new_token()):
            with pytest.raises(Unauthenticated):
                await authentication.caller(one.text)
    assert len(seen) == 6
    assert all(each == seen[0] for each in seen)
