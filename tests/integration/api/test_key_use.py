"""When a key was last used is stored in the background, and other processes hear of changes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

import httpx
import pytest
from sqlalchemy import event, text

from taskq_server.core.database import Connection, Database
from taskq_server.crud import api_keys
from taskq_server.domain.caller import Caller
from taskq_server.domain.keys import ApiKey, NewKey, Token
from taskq_server.runtime import Runtime, open_runtime
from taskq_server.services.keys import KeyService
from tests.integration.api.keys import make_key, shown
from tests.support.waiting import eventually

T = TypeVar("T")

REFUSING = {
    "sqlite": "CREATE TRIGGER refused BEFORE UPDATE ON api_keys "
    "BEGIN SELECT RAISE(ABORT, 'refused'); END",
    "mysql": "CREATE TRIGGER refused BEFORE UPDATE ON api_keys FOR EACH ROW "
    "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused'",
}


async def row(runtime: Runtime, token: Token) -> ApiKey:
    return (await runtime.database.read(lambda c: api_keys.by_id(c, [token.id])))[token.id]


async def test_the_last_use_is_stored_once_a_minute(
    closed: httpx.AsyncClient, runtime: Runtime
) -> None:
    before = runtime.clock()
    token, idle = [await make_key(runtime, "tasks:read") for _ in range(2)]

    async def used() -> object:
        return (await row(runtime, token)).last_used_at

    assert (await closed.get("/tasks", headers=shown(token))).status_code == 200
    await eventually(used, "stored")
    first = (await row(runtime, token)).last_used_at
    assert first is not None
    assert before <= first <= runtime.clock()
    async with open_runtime(runtime.settings) as other:  # which has stored nothing yet
        for each in (runtime, other):
            assert await each.authentication.caller(token.text)
        await other.key_use.close()
    await runtime.key_use.close()
    assert (await row(runtime, token)).last_used_at == first
    assert (await row(runtime, idle)).last_used_at is None


async def test_many_requests_with_a_key_cause_one_statement(
    closed: httpx.AsyncClient, runtime: Runtime
) -> None:
    token = await make_key(runtime, "tasks:read")
    written: list[str] = []

    def note(*given: Any) -> None:
        if given[2].startswith("UPDATE api_keys"):
            written.append(given[2])

    event.listen(runtime.database.engine.sync_engine, "before_cursor_execute", note)
    for _ in range(5):
        assert (await closed.get("/tags", headers=shown(token))).status_code == 200
        await runtime.key_use.close()
    assert len(written) == 1


async def test_a_use_after_a_minute_is_stored(runtime: Runtime) -> None:
    ago = runtime.clock() - timedelta(seconds=61)
    token = await make_key(runtime, "tasks:read", last_used_at=ago)
    await runtime.authentication.caller(token.text)
    await runtime.key_use.close()
    last = (await row(runtime, token)).last_used_at
    assert last is not None
    assert last > ago


async def test_what_opens_nothing_is_no_use(runtime: Runtime, closed: httpx.AsyncClient) -> None:
    token = await make_key(runtime, "tasks:read")
    await closed.get("/tasks", headers=shown(Token(token.id, "A" * 43)))
    await runtime.key_use.close()
    assert (await row(runtime, token)).last_used_at is None


async def test_a_database_that_stores_no_use_fails_no_request(
    closed: httpx.AsyncClient, runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = [await make_key(runtime, "tasks:read") for _ in range(3)]
    kind = runtime.database.engine.dialect.name
    await runtime.database.write(lambda c: c.execute(text(REFUSING[kind])))
    try:
        for token in tokens:
            assert (await closed.get("/tasks", headers=shown(token))).status_code == 200
        await runtime.key_use.close()
    finally:
        await runtime.database.write(lambda c: c.execute(text("DROP TRIGGER refused")))
    assert (await row(runtime, tokens[0])).last_used_at is None
    assert sum(each.levelname == "WARNING" for each in caplog.records) == 1


class Repeating(Database):
    """A database whose first answer to each commit gets lost, so that the work runs again."""

    async def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        await super().write(work)
        return await super().write(work)


async def test_a_commit_whose_answer_is_lost_changes_no_key_twice(runtime: Runtime) -> None:
    database = Repeating(runtime.settings.database_url.get_secret_value())
    keys = KeyService(database, runtime.clock, "default", lambda: None)
    operator = Caller("*", is_operator=True)
    try:
        first = await keys.create(operator, NewKey(name="x", scopes=("tasks:read",)))
        second = await keys.rotate(operator, first.key.id, 60)
        for made in (first, second):
            assert await runtime.authentication.caller(made.token.text)
        revoked = await keys.revoke(operator, first.key.id)
        assert revoked.revoked_at is not None
    finally:
        await database.close()


async def test_other_processes_hear_of_each_change(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = await make_key(runtime, "admin", namespace="*")
    caller = await runtime.authentication.caller(operator.text)
    heard = asyncio.Event()
    async with open_runtime(runtime.settings) as other:
        forget = other.authentication.forget

        def hear() -> None:
            forget()
            heard.set()

        monkeypatch.setattr(other.authentication, "forget", hear)
        await _listening(runtime, other)
        other_key = await make_key(runtime, "tasks:read")
        for change in (
            lambda: runtime.keys.rotate(caller, other_key.id, 60),
            lambda: runtime.keys.revoke(caller, other_key.id),
        ):
            heard.clear()
            await change()
            async with asyncio.timeout(60):
                await heard.wait()


async def test_a_forged_message_causes_a_read_and_nothing_else(
    closed: httpx.AsyncClient, runtime: Runtime
) -> None:
    token = await make_key(runtime, "tasks:read")
    await _listening(runtime, runtime)
    assert runtime.redis is not None
    assert runtime.naming.names is not None
    assert await runtime.authentication.caller(token.text)
    for message in (b"", b"\xff" * 1000, b'{"revoked": ["' + token.id.encode() + b'"]}'):
        assert await runtime.redis.publish(runtime.naming.names.keys, message) >= 1
        await eventually(lambda: _must_read(runtime, token), "forgotten")
        assert (await closed.get("/tasks", headers=shown(token))).status_code == 200


async def _must_read(runtime: Runtime, token: Token) -> bool:
    return runtime.authentication.known(token.text) is None


async def _listening(publisher: Runtime, listener: Runtime) -> None:
    names, redis = listener.naming.names, publisher.redis
    assert names is not None
    assert redis is not None

    async def subscribed() -> bool:
        ((_, count),) = await redis.pubsub_numsub(names.keys)
        return bool(count >= (1 if publisher is listener else 2))

    await eventually(subscribed, "subscribed")
