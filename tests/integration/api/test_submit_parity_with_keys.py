"""The fast path and FastAPI's route ask for the same: random requests with all kinds of keys."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from fastapi import Depends

from taskq_server.domain.keys import Token, new_token
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.keys import asking_for_keys, make_key
from tests.integration.api.random_submits import Header, several
from tests.integration.api.sockets import served
from tests.integration.api.test_submit_parity import alike, body, headers, nothing, send, stored

pytestmark = pytest.mark.usefixtures("worker")

SEED = 16
REQUESTS = 120


def bearer(token: Token) -> Header:
    return b"Authorization", f"Bearer {token.text}".encode()


async def credentials(runtime: Runtime) -> Mapping[str, list[Header]]:
    """Five keys in two namespaces, and what is not a key."""
    runner = await make_key(runtime, "tasks:run:*", "tasks:read")
    past = runtime.clock() - timedelta(seconds=1)
    return {
        "runner": [bearer(runner)],
        "lower": [(b"authorization", b"bearer " + runner.text.encode())],
        "some": [bearer(await make_key(runtime, "tasks:run:reports.*"))],
        "reader": [bearer(await make_key(runtime, "tasks:read", "tasks:write"))],
        "elsewhere": [bearer(await make_key(runtime, "tasks:run:*", namespace="other"))],
        "operator": [bearer(await make_key(runtime, "admin", "metrics:read", namespace="*"))],
        "revoked": [bearer(await make_key(runtime, "tasks:run:*", revoked_at=past))],
        "expired": [bearer(await make_key(runtime, "tasks:run:*", expires_at=past))],
        "wrong": [bearer(Token(runner.id, "A" * 43))],
        "unknown": [bearer(new_token())],
        "none": [],
        "two": [bearer(runner), bearer(runner)],
        "basic": [(b"Authorization", b"Basic " + runner.text.encode())],
        "odd": [(b"Authorization", b"Bearer \xff" + runner.text.encode())],
    }


async def test_random_requests_with_all_kinds_of_keys(runtime: Runtime) -> None:
    random, closed = Random(SEED), asking_for_keys(runtime)
    shown = await credentials(runtime)
    opening = ["runner", "lower"] * 4
    found: Counter[tuple[str, int]] = Counter()
    slow_app = create_app(runtime=closed, dependencies=[Depends(nothing)])
    async with (
        served(create_app(runtime=closed), closed.settings) as fast,
        served(slow_app, closed.settings) as slow,
    ):
        ids: tuple[dict[str, str], dict[str, str]] = ({}, {})
        for number, plain in enumerate(several(random, REQUESTS)):
            who = random.choice([*opening, *shown])
            submit = replace(plain, headers=[*plain.headers, *shown[who]])
            where = f"request {number} of {who}: {submit}"
            (first, handed_on), (second, _) = [
                await send(way, submit, name) for way, name in ((fast, b"f"), (slow, b"s"))
            ]
            assert first.status_code == second.status_code, where
            assert headers(first) == headers(second), where
            assert body(first, ids[0], where) == body(second, ids[1], where), where
            if first.status_code == 401:
                assert handed_on == 0, where
            if first.is_success:
                rows = [await stored(runtime.database, each) for each in (first, second)]
                assert alike(*rows), where
            found[who, first.status_code] += 1
    by_who = {who: {status for one, status in found if one == who} for who in shown}
    for who in ("revoked", "expired", "wrong", "unknown", "none", "two", "basic", "odd"):
        assert by_who[who] == {401}, who
    assert by_who["reader"] == {403}
    assert not by_who["operator"] & {200, 201}
    assert by_who["runner"] | by_who["lower"] >= {201, 422}
