"""How sessions begin and end, and what is read of them: when, and by how many statements."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.clock import Clock
from taskq_server.core.database import Database
from taskq_server.crud.tables import sessions as table
from taskq_server.domain import limits
from taskq_server.domain.errors import (
    DatabaseUnavailable,
    InvalidFields,
    PermissionDenied,
    Unauthenticated,
)
from taskq_server.domain.keys import Token
from taskq_server.domain.sessions import digest, new_token
from taskq_server.runtime import Runtime
from taskq_server.services.attempts import AttemptService
from taskq_server.services.authentication import FRESH_SECONDS, RECENT_SECONDS, Authentication
from taskq_server.services.maintenance import Maintenance
from taskq_server.services.namespaces import Namespaces
from taskq_server.services.sessions import Sessions
from tests.integration.api.keys import ALL, make_key

T = TypeVar("T")
LASTS = timedelta(hours=2)


class Watched:
    """The database of a test, which counts what is read, and the clock of who reads it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.observer = database.observer
        self.now = 1_000.0
        self.reads = 0
        self.seconds = 0.0
        self.started = datetime.now(UTC)

    async def read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        self.reads += 1
        answer = await self._database.read(work)
        self.now += self.seconds
        return answer

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        return await self._database.write(work)


@pytest.fixture
def watched(runtime: Runtime) -> Watched:
    return Watched(runtime.database)


class Told:
    """Counts what other processes are told."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def sessions(watched: Watched, told: Told) -> AsyncIterator[Sessions]:
    clock = Clock(watched.started, lambda: watched.now)
    database: Any = watched
    authentication = Authentication(database, clock)
    opened = Sessions(
        database,
        clock,
        authentication,
        Namespaces(database, lambda: watched.now),
        lasts=LASTS,
        usual_namespace="default",
        changed=told,
    )
    yield opened
    await opened.close()
    await authentication.close()


async def stored(runtime: Runtime) -> int:
    async def work(connection: AsyncConnection) -> int:
        return (await connection.execute(select(func.count()).select_from(table))).scalar_one()

    return await runtime.database.read(work)


async def assert_over(sessions: Sessions, token: str, within: float = FRESH_SECONDS) -> None:
    with pytest.raises(Unauthenticated):
        await sessions.opened(token, within)


async def test_a_session_has_the_rights_of_its_key(sessions: Sessions, runtime: Runtime) -> None:
    key = await make_key(runtime, "tasks:read", "tasks:write")
    token = await sessions.sign_in(key.text)
    opened = await sessions.opened(token)
    assert opened.caller.key_id == key.id
    assert opened.caller.scopes == {"tasks:read", "tasks:write"}
    assert opened.caller.namespace == "default"
    assert opened.session.expires_at - opened.session.created_at == LASTS


async def test_the_database_holds_nothing_that_opens(sessions: Sessions, runtime: Runtime) -> None:
    key = await make_key(runtime, "tasks:read")
    token = await sessions.sign_in(key.text)
    (row,) = await runtime.database.read(lambda c: c.execute(select(table)))
    assert row.hash == digest(token)
    assert not {token, key.secret, key.text} & set(map(str, row))
    assert token not in repr(await sessions.opened(token))
    assert row.secret_hash not in repr(await sessions.opened(token))


@pytest.mark.parametrize("text", ["", "tq_", "x" * 5_000, Token("A" * 12, "A" * 43).text, "\0"])
async def test_what_opens_nothing_begins_none(
    sessions: Sessions, runtime: Runtime, text: str
) -> None:
    with pytest.raises(Unauthenticated):
        await sessions.sign_in(text)
    assert await stored(runtime) == 0


async def test_it_is_read_at_most_twice_a_second(
    sessions: Sessions, runtime: Runtime, watched: Watched
) -> None:
    token = await sessions.sign_in((await make_key(runtime, "tasks:read")).text)
    await sessions.opened(token)
    before = watched.reads
    for _ in range(50):  # five seconds
        watched.now += 0.1
        await asyncio.gather(*(sessions.opened(token) for _ in range(20)))
    of_keys_ahead = 5 / RECENT_SECONDS
    assert watched.reads - before <= 5 / FRESH_SECONDS + of_keys_ahead


async def test_many_share_a_statement(
    sessions: Sessions, runtime: Runtime, watched: Watched
) -> None:
    key = await make_key(runtime, "tasks:read")
    tokens = [await sessions.sign_in(key.text) for _ in range(60)]
    watched.now += 1
    before = watched.reads
    await asyncio.gather(*map(sessions.opened, tokens))
    assert watched.reads - before <= 3  # one with the first alone, and one of the key


async def test_strangers_fill_neither_memory_nor_the_place_of_sessions(
    sessions: Sessions, runtime: Runtime, watched: Watched
) -> None:
    token = await sessions.sign_in((await make_key(runtime, "tasks:read")).text)
    await sessions.opened(token)

    async def try_many() -> int:
        for _ in range(10):
            tokens = [new_token() for _ in range(500)]
            answers = await asyncio.gather(*map(sessions.opened, tokens), return_exceptions=True)
            assert all(isinstance(each, Unauthenticated) for each in answers)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        first = await try_many()
        before = watched.reads
        second = await try_many()
    finally:
        tracemalloc.stop()
    assert second - first < 1_000_000  # 5,000 kept answers take more
    assert watched.reads - before <= 30
    before = watched.reads
    await sessions.opened(token)
    assert watched.reads == before


async def test_it_ends_with_a_sign_out(
    sessions: Sessions, runtime: Runtime, told: Told, watched: Watched
) -> None:
    key = await make_key(runtime, "tasks:read")
    token, other = [await sessions.sign_in(key.text) for _ in range(2)]
    assert told.times == 0
    await sessions.opened(token)
    watched.now += 0.01
    await sessions.sign_out(token)
    assert told.times == 1
    watched.now += 0.01
    await assert_over(sessions, token)
    await sessions.opened(other)
    await sessions.sign_out(token)
    await sessions.sign_out("nonsense")
    assert await stored(runtime) == 1


async def test_a_sign_out_elsewhere_acts_within_half_a_second(
    sessions: Sessions, runtime: Runtime, watched: Watched
) -> None:
    """`runtime.sessions` is another process's, whose message does not come."""
    token = await sessions.sign_in((await make_key(runtime, "tasks:read")).text)
    await sessions.opened(token)
    await runtime.sessions.sign_out(token)
    watched.now += RECENT_SECONDS + 0.001
    await sessions.opened(token)
    await assert_over(sessions, token, RECENT_SECONDS)
    other = await sessions.sign_in((await make_key(runtime, "tasks:read")).text)
    await sessions.opened(other)
    await runtime.sessions.sign_out(other)
    watched.now += FRESH_SECONDS + 0.001
    await assert_over(sessions, other)


async def test_it_ends_in_time(sessions: Sessions, runtime: Runtime, watched: Watched) -> None:
    token = await sessions.sign_in((await make_key(runtime, "tasks:read")).text)
    watched.now += LASTS.total_seconds() - 1
    await sessions.opened(token)
    watched.now += 0.4
    await sessions.opened(token)
    watched.now += 0.7
    await assert_over(sessions, token)


async def test_it_ends_with_its_key(sessions: Sessions, runtime: Runtime, watched: Watched) -> None:
    now = runtime.clock()
    expiring = await make_key(runtime, *ALL, expires_at=now + timedelta(seconds=60))
    revoked, rotated, slowly = [await make_key(runtime, *ALL) for _ in range(3)]
    by_key = {key: await sessions.sign_in(key.text) for key in (expiring, revoked, rotated, slowly)}
    operator = replace(runtime.caller, is_operator=True, namespace="*")
    await runtime.keys.revoke(operator, revoked.id)
    assert await stored(runtime) == 3
    await runtime.keys.rotate(operator, rotated.id, 0)
    await runtime.keys.rotate(operator, slowly.id, 30)
    watched.now += 1
    await assert_over(sessions, by_key[revoked])
    await assert_over(sessions, by_key[rotated])
    await sessions.opened(by_key[slowly])
    await sessions.opened(by_key[expiring])
    watched.now += 40
    await assert_over(sessions, by_key[slowly])
    await sessions.opened(by_key[expiring])
    watched.now += 60
    await assert_over(sessions, by_key[expiring])


async def test_a_key_has_so_many_sessions(sessions: Sessions, runtime: Runtime) -> None:
    key = await make_key(runtime, "tasks:read")
    other = await sessions.sign_in((await make_key(runtime, "tasks:read")).text)
    tokens = []
    for _ in range(limits.KEY_SESSIONS + 2):
        tokens.append(await sessions.sign_in(key.text))
        await sessions.opened(tokens[-1])  # all of one moment, and none makes room for itself
    assert await stored(runtime) == limits.KEY_SESSIONS + 1
    await sessions.opened(other)
    await sessions.opened(tokens[-1])


async def test_an_operator_chooses_a_namespace(
    sessions: Sessions, runtime: Runtime, told: Told, watched: Watched
) -> None:
    await runtime.namespaces.create("other")
    token = await sessions.sign_in((await make_key(runtime, *ALL, namespace="*")).text)
    before = await sessions.opened(token)
    assert (before.caller.namespace, before.caller.is_operator) == ("default", True)
    watched.now += 0.01
    new = await sessions.choose_namespace(token, "other")
    assert told.times == 1
    watched.now += 0.01
    await assert_over(sessions, token)
    after = await sessions.opened(new)
    assert (after.caller.namespace, after.caller.is_operator) == ("other", True)
    assert after.session.expires_at == before.session.expires_at
    with pytest.raises(InvalidFields, match="no namespace"):
        await sessions.choose_namespace(new, "nowhere")
    with pytest.raises(InvalidFields):
        await sessions.choose_namespace(new, "*")
    assert (await sessions.opened(new)).caller.namespace == "other"


async def test_nobody_else_does(sessions: Sessions, runtime: Runtime) -> None:
    await runtime.namespaces.create("other")
    token = await sessions.sign_in((await make_key(runtime, *ALL)).text)
    with pytest.raises(PermissionDenied):
        await sessions.choose_namespace(token, "other")
    with pytest.raises(Unauthenticated):
        await sessions.choose_namespace(new_token(), "other")


async def test_what_the_database_says_late_counts_for_nothing(
    sessions: Sessions, runtime: Runtime, watched: Watched
) -> None:
    token = await sessions.sign_in((await make_key(runtime, "tasks:read")).text)
    watched.seconds = 1.1
    with pytest.raises(DatabaseUnavailable):
        await sessions.opened(token)


async def test_upkeep_deletes_those_that_are_over(sessions: Sessions, runtime: Runtime) -> None:
    key = await make_key(runtime, "tasks:read")
    await sessions.sign_in(key.text)
    attempts: AttemptService = runtime.attempts(has_failure_hooks=False)
    now = runtime.clock()

    def upkeep(at: datetime) -> Maintenance:
        return Maintenance(runtime.database, lambda: at, attempts, runtime.dispatcher)

    assert not await upkeep(now + LASTS / 2).forget_sessions()
    assert await stored(runtime) == 1
    assert not await upkeep(now + LASTS * 2).forget_sessions()
    assert await stored(runtime) == 0
