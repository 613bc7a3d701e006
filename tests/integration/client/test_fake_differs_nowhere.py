"""The fake and a real server get the same random requests: their answers are the same.

No worker runs: a scripted one takes the steps of the fake's at the same points, by a clock that the
test sets for both, so that all times are equal. Ids, cursors and request ids are replaced by their
number, in the order in which they appear. TASKQ_TEST_SEEDS=3,4,5 tries other requests, and
TASKQ_TEST_REQUESTS=1000 another number of them with each seed.

The length of an answer must fit its own body and is not compared, because the two write the members
of the same JSON in another order.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest

from taskq_client.testing import FakeTaskq
from taskq_client.testing._task import wire
from tests.integration.client.large import large_bodies
from tests.integration.client.requests import Asked, Requests
from tests.integration.client.scripted import KEYED, START, STEPS, real_server

SEEDS = [int(seed) for seed in os.environ.get("TASKQ_TEST_SEEDS", "1,2").split(",")]
MANY = int(os.environ.get("TASKQ_TEST_REQUESTS", "500"))

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(110)]

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_REQUEST = re.compile(r"\b[0-9a-f]{32}\b")
_CREATED = re.compile(r'"created_at": "([^"]+)"')
_CURSOR = re.compile(r'(?:"next_cursor": "|cursor=)([A-Za-z0-9_-]{30})')


class Side:
    """One of the two servers, and what it has given so far."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.ids: list[str] = []
        self.operations: list[str] = []
        self.times: list[str] = [wire(START)]
        self.cursors: list[tuple[str, list[tuple[str, str]]]] = []

    async def ask(self, asked: Asked) -> dict[str, Any]:
        """Send a request, and return the answer in words that both servers share."""
        path, body = asked.path, asked.body
        created = self.times[-1 - asked.task % len(self.times)]
        query = [(name, created if value == "{at}" else value) for name, value in asked.query]
        if self.ids:
            chosen = self.ids[-1 - asked.task % min(len(self.ids), 40)]
            path = path.replace("{id}", chosen.upper() if asked.upper else chosen)
        if self.operations:
            chosen = self.operations[-1 - asked.task % len(self.operations)]
            path = path.replace("{operation}", chosen)
        if body is not None:
            body = re.sub(rb"\{id(\d+)\}", self._id, body)
        if asked.cursor >= 0 and self.cursors:
            cursor, made_for = self.cursors[-1 - asked.cursor % len(self.cursors)]
            query = [*(made_for if asked.cursor else query), ("cursor", cursor)]
        url = httpx.URL("http://taskq" + path, params=query) if query else "http://taskq" + path
        headers = [(name.encode(), value.encode("latin-1")) for name, value in asked.headers]
        request = httpx.Request(asked.method, url, headers=headers, content=body)
        response = await self.client.send(request)
        return self._shared(asked, response, query)

    def _id(self, match: re.Match[bytes]) -> bytes:
        number = int(match[1])
        return self.ids[number % len(self.ids)].encode() if self.ids else b"nobody"

    def _shared(
        self, asked: Asked, response: httpx.Response, query: list[tuple[str, str]]
    ) -> dict[str, Any]:
        headers = {name.lower(): value for name, value in response.headers.items()}
        length = headers.pop("content-length", None)
        content = b"" if asked.method == "HEAD" else response.content
        if length is not None and asked.method != "HEAD":
            assert int(length) == len(content)
        located = headers.get("location", "")
        if located.startswith("/bulk/") and located[6:] not in self.operations:
            self.operations.append(located[6:])
        answer = {"status": response.status_code, "headers": headers, "body": _read(content)}
        text = json.dumps(answer, sort_keys=True)
        self.times += _CREATED.findall(text)
        for cursor in _CURSOR.findall(text):
            if cursor not in [known for known, _ in self.cursors]:
                kept = [one for one in query if one[0] != "cursor"]
                self.cursors.append((cursor, kept))
            text = text.replace(cursor, f"cursor{[c for c, _ in self.cursors].index(cursor)}")
        shared: dict[str, Any] = json.loads(_REQUEST.sub("request", _UUID.sub(self._named, text)))
        return shared

    def _named(self, match: re.Match[str]) -> str:
        found = match[0].lower()
        if found.startswith("019aa1c"):
            return found
        if found not in self.ids:
            self.ids.append(found)
        return f"task {self.ids.index(found)}"


def _read(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        pass
    text = content.decode()
    return [
        json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else line
        for line in text.splitlines()
    ]


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_same_requests_have_the_same_answers(
    seed: int, sqlite_url: str, redis_url: str
) -> None:
    requests = Requests(seed)
    await compare((requests.next() for _ in range(MANY)), sqlite_url, redis_url)


async def test_large_bodies_have_the_same_answers(sqlite_url: str, redis_url: str) -> None:
    await compare(large_bodies(), sqlite_url, redis_url)


async def compare(
    requests: Iterable[Asked],
    database_url: str,
    redis_url: str,
    keys: Sequence[Sequence[str]] = (),
) -> None:
    """Send requests to both servers, and compare their answers.

    Args:
        requests: The requests; `{key0}` in a header stands for the first key, and so on.
        database_url: The empty database of the real server.
        redis_url: Its Redis.
        keys: The scopes of each key; none for servers that ask for none.
    """
    now = START
    fake = FakeTaskq(clock=lambda: now)
    made = {fake.make_key(*scopes): scopes for scopes in keys}
    texts = {f"key{number}": text for number, text in enumerate(made)}
    for handler, steps in STEPS.items():
        fake.on(handler, *steps, unique_key=KEYED.get(handler))
    told: list[str] = []
    async with (
        real_server(database_url, redis_url, made or None) as (client, worker),
        httpx.AsyncClient(transport=fake, base_url="http://taskq") as other,
    ):
        real, faked = Side(client), Side(other)
        for asked in requests:
            asked.headers = [(name, _filled(value, texts)) for name, value in asked.headers]
            now += timedelta(seconds=asked.seconds)
            if not asked.path.endswith("/events"):
                await worker.catch_up(fake.now)
            expected, found = await real.ask(asked), await faked.ask(asked)
            told.append(f"{len(told)} {expected['status']} {asked}")
            if expected != found:
                raise AssertionError(_difference(told, expected, found))
    assert real.ids


def _filled(value: str, texts: Mapping[str, str]) -> str:
    for name, text in texts.items():
        value = value.replace(f"{{{name}}}", text)
    return value


def _difference(told: list[str], expected: Any, found: Any) -> str:
    lines = [*told[-3:]]
    _compare("", expected, found, lines)
    return "\n".join(line[:1_500] for line in lines)


def _compare(where: str, expected: Any, found: Any, lines: list[str]) -> None:
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted(expected.keys() | found.keys()):
            _compare(f"{where}/{key}", expected.get(key), found.get(key), lines)
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (one, other) in enumerate(zip(expected, found, strict=True)):
            _compare(f"{where}/{number}", one, other, lines)
    elif expected != found:
        lines.append(f"{where}\n  server: {expected!r}\n  fake:   {found!r}")
