"""The time of a 401 tells neither which ids there are nor how much of a secret is right.

The clock is the CPU's, with that of the threads of SQLite: it counts nothing of other processes.
"""

import random
import string
import time
from collections.abc import AsyncIterator

import pytest
from starlette.types import ASGIApp, Message

from taskq_server.domain.keys import Token, new_token
from taskq_server.main import create_app
from taskq_server.runtime import Runtime, open_runtime
from tests.integration.api.keys import make_key
from tests.support import timing
from tests.support.keys import new_key, store

TRIES = 10_000
FIRST_TRIES = 300
LENGTH = 43
LETTERS = string.ascii_letters + string.digits + "_-"
RANDOM = random.Random(16)


@pytest.fixture
async def closed(runtime: Runtime) -> AsyncIterator[ASGIApp]:
    """An API that asks for keys, has seen none of them yet, and has made what it makes once."""
    changes = {"auth": "required", "max_auth_failures": 1_000_000}
    async with open_runtime(runtime.settings.model_copy(update=changes)) as opened:
        app = create_app(runtime=opened)
        for _ in range(FIRST_TRIES):
            await seconds(app, new_token())
        yield app


async def seconds(app: ASGIApp, token: Token) -> float:
    """How much CPU the 401 takes that a key gets."""
    status = 0

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    fields = [(b"host", b"taskq"), (b"authorization", f"Bearer {token.text}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/tasks", "query_string": b""}
    began = time.process_time()
    await app({**scope, "headers": fields, "client": ("127.0.0.1", 1)}, receive, send)
    took = time.process_time() - began
    assert status == 401
    return took


@pytest.mark.timeout(1_200)  # each of the tries asks the database
async def test_it_does_not_tell_which_ids_there_are(closed: ASGIApp, runtime: Runtime) -> None:
    """Each id once, so that no answer comes out of the cache."""
    keys = [new_key("tasks:read", "tasks:run:*") for _ in range(TRIES // 2)]
    await store(runtime.database, *(key for _, key in keys))
    tries = [(True, new_token(token.id)) for token, _ in keys]
    tries += [(False, new_token()) for _ in keys]
    RANDOM.shuffle(tries)
    took: dict[bool, list[float]] = {True: [], False: []}
    with timing.no_garbage():
        for exists, token in tries:
            took[exists].append(await seconds(closed, token))
    timing.check_equal(took[True], took[False])


async def test_it_does_not_tell_how_much_of_a_secret_is_right(
    closed: ASGIApp, runtime: Runtime
) -> None:
    """Secrets that agree in their first 0 to 42 characters, as a comparison would find out."""
    key = await make_key(runtime, "tasks:read", "tasks:run:*")
    tries = [(agree, nearly(key, agree)) for agree in RANDOM.choices(range(LENGTH), k=TRIES)]
    few, many = [], []
    with timing.no_garbage():
        for agree, token in tries:
            took = await seconds(closed, token)
            (few if agree < LENGTH // 2 else many).append(took)
    timing.check_equal(many, few)


def nearly(key: Token, agree: int) -> Token:
    """Return a key whose secret agrees with that of another one in its first characters only."""
    other = RANDOM.choice(LETTERS.replace(key.secret[agree], ""))
    rest = "".join(RANDOM.choices(LETTERS, k=LENGTH - agree - 1))
    return Token(key.id, key.secret[:agree] + other + rest)
