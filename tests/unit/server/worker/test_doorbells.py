"""Doorbells that taskq did not ring: read if they can be, dropped alone if not. A real Valkey."""

import asyncio
import json
import logging
import pickle
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.jobs import serialize_job

from taskq_server.broker.connection import connect, encode
from taskq_server.broker.names import Names
from taskq_server.broker.unreadable import UnreadableMessages
from taskq_server.core.config import Settings
from taskq_server.domain.task import Queue
from taskq_server.worker.admission import Admission
from taskq_server.worker.arq_worker import TaskqWorker
from taskq_server.worker.doorbells import read_doorbells
from taskq_server.worker.functions import RUNNER
from taskq_server.worker.settings import WorkerSettings
from tests.support.valkey import ValkeyServer
from tests.unit.server.worker.attempts import until
from tests.unit.server.worker.test_arq_worker import Attempts, Database, everything

TASK = "018f3c7e-5b1d-7c00-8000-00000000f00d"
DEFAULT = Queue("default", "default")
QUEUE = Names("taskq", "1").queue("default", "default")
ASIDE = Names("taskq", "1").aside("default", "default")
ODD_IDS = [
    *(b"", b"\xff\xfe", b"\x00", b"x" * 100_000, b"send_invoice", b"arq:queue", TASK.encode()),
    *(f"{TASK}:{n}".encode() for n in ("", "0", "-1", "+1", "01", "1.0", "1 ", "\u0661", "9" * 40)),
    f" {TASK}:1".encode(),
    f"{TASK}:1\n".encode(),
    f"{TASK.replace('-', '')}:1".encode(),
]


class Trap:
    """Unpickling one would call `print`."""

    def __reduce__(self) -> tuple[object, ...]:
        return print, ("the pickle was loaded",)


def job(*arguments: object, function: str = "execute_task", **keywords: object) -> bytes:
    return serialize_job(function, arguments, keywords, None, 1, serializer=encode)


def of_dict(**changes: object) -> bytes:
    return json.dumps(json.loads(job(TASK, 1)) | changes).encode()


ODD_JOBS: dict[str, bytes] = {
    "pickle": pickle.dumps({"f": "execute_task", "a": (TASK, 1), "k": {}, "t": 1, "et": 1}),
    "trap": pickle.dumps({"f": "execute_task", "a": Trap(), "k": {}, "t": 1, "et": 1}),
    "bytes": b"\xff\x00",
    "no object": b"[]",
    "nothing": b"null",
    "incomplete": b'{"f":"execute_task"}',
    "deep": b"[" * 4_000,
    "huge number": b'{"f":1,"a":' + b"9" * 4_000 + b"}",
    "another function": job(TASK, 1, function="send_invoice"),
    "no arguments": job(),
    "one": job(TASK),
    "three": job(TASK, 1, 1),
    "no list": of_dict(a=7),
    "text": of_dict(a="ab"),
    "keys": of_dict(a={TASK: 1, "1": 1}),
    "no time": of_dict(et=10**30),
    "text attempt": job(TASK, "1"),
    "true": job(TASK, True),
    "half": job(TASK, 1.0),
    "zero": job(TASK, 0),
    "negative": job(TASK, -1),
    "huge": job(TASK, 2**31),
    "endless": job(TASK, 10**400),
    "none": job(TASK, None),
    "no id": job("x", 1),
    "number for an id": job(7, 1),
    "list for an id": job([TASK], 1),
    "long": job(TASK, 1, note="x" * 10_000_000),
}


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[ArqRedis]:
    client = connect(redis_url)
    yield client
    await client.aclose(close_connection_pool=True)


@pytest.mark.parametrize("odd", ODD_IDS, ids=lambda one: repr(one[:60]))
async def test_an_odd_id_is_dropped_alone(
    redis: ArqRedis, odd: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    first, last = f"{uuid4()}:1".encode(), f"{uuid4()}:2147483647".encode()
    found = await read_doorbells(redis, [first, odd, last], UnreadableMessages())
    assert [f"{task_id}:{attempt}".encode() for task_id, attempt in found] == [first, last]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert len(caplog.text) < 400


@pytest.mark.parametrize("odd", ODD_JOBS)
async def test_an_odd_job_is_dropped_alone_and_deleted(
    redis: ArqRedis,
    odd: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await redis.set(f"{job_key_prefix}odd", ODD_JOBS[odd])
    await redis.set(f"{job_key_prefix}good", job(TASK.upper(), 2))
    assert await read_doorbells(redis, [b"odd", b"good"], UnreadableMessages()) == [(TASK, 2)]
    assert await redis.keys("*") == []
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "loaded" not in capsys.readouterr().out


async def test_a_job_that_is_no_string_is_dropped_alone(redis: ArqRedis) -> None:
    await redis.lpush(f"{job_key_prefix}odd", b"x")
    await redis.set(f"{job_key_prefix}good", job(TASK, 2))
    assert await read_doorbells(redis, [b"odd", b"good", b"gone"], UnreadableMessages()) == [
        (TASK, 2)
    ]
    assert await redis.keys("*") == []


async def test_redis_may_go_away_before_the_jobs_are_read() -> None:
    away = connect("redis://127.0.0.1:1")
    ours = f"{TASK}:3".encode()
    assert await read_doorbells(away, [b"job", ours], UnreadableMessages()) == [(TASK, 3)]
    await away.aclose(close_connection_pool=True)


async def test_jobs_that_may_not_be_read_are_dropped_alone(
    redis: ArqRedis, redis_server: ValkeyServer
) -> None:
    await redis.execute_command(
        "ACL", "SETUSER", "narrow", "on", "nopass", "~{taskq:*", "+getrange", "+del"
    )
    narrow = connect(redis_server.url.replace("redis://", "redis://narrow:x@"))
    ours = f"{TASK}:3".encode()
    try:
        assert await read_doorbells(narrow, [b"job", ours], UnreadableMessages()) == [(TASK, 3)]
    finally:
        await narrow.aclose(close_connection_pool=True)
        await redis.execute_command("ACL", "DELUSER", "narrow")


async def test_a_worker_starts_what_was_rung_among_all_that(redis: ArqRedis) -> None:
    """One batch of everything odd, with three bells of tasks; nothing else is touched."""
    rung = [str(uuid4()) for _ in range(3)]
    for number, data in enumerate(ODD_JOBS.values()):
        await redis.set(f"{job_key_prefix}odd{number}", data)
    await redis.set(f"{job_key_prefix}stock", job(rung[2], 1))
    odd = [*ODD_IDS, *(f"odd{number}".encode() for number in range(len(ODD_JOBS)))]
    await redis.zadd(QUEUE, {rung[0] + ":1": 1, **dict.fromkeys(odd, 2), rung[1] + ":1": 3})
    await redis.zadd(QUEUE, {"stock": 4})
    theirs = {"arq:queue": "their-job", "arq:queue:default": TASK + ":1"}
    for key, member in theirs.items():
        await redis.zadd(key, {member: 1})
    await redis.set(f"{job_key_prefix}their-job", b"theirs")
    attempts = Attempts()
    settings = WorkerSettings.of(Settings(poll_seconds=0.05))
    worker = TaskqWorker(
        namespaces=["default"],
        queues=["default"],
        keys=lambda _: (QUEUE, ASIDE),
        waiting=everything,
        now_ms=lambda: 10,
        may_have=lambda: 100,
        due=Database().due,
        threads=lambda _: 0,
        admission=Admission({}, lambda _: None),
        unreadable=UnreadableMessages(),
        wake=asyncio.Event(),
        **settings.arguments(redis, {RUNNER: attempts}),
    )
    loop = asyncio.create_task(worker.main())
    await until(lambda: {str(one) for one in attempts.asked} == set(rung))
    loop.cancel()
    attempts.let_go.set()
    await until(lambda: not worker.tasks)
    assert sorted(await redis.keys("*")) == [
        f"{job_key_prefix}their-job".encode(),
        *(key.encode() for key in theirs),
    ]


@pytest.mark.parametrize("score", ["inf", "1e300", "-1e300"])
async def test_a_head_whose_score_is_no_time_counts_as_none(redis: ArqRedis, score: str) -> None:
    await redis.execute_command("ZADD", QUEUE, score, "x")
    worker = TaskqWorker(
        namespaces=["default"],
        queues=["default"],
        keys=lambda _: (QUEUE, ASIDE),
        waiting=everything,
        now_ms=lambda: 0,
        may_have=lambda: 0,
        due=Database().due,
        threads=lambda _: 0,
        admission=Admission({}, lambda _: None),
        unreadable=UnreadableMessages(),
        wake=asyncio.Event(),
        **WorkerSettings.of(Settings()).arguments(redis, {}),
    )
    assert await worker.heads([DEFAULT]) == {DEFAULT: (None, None)}
    await redis.execute_command("ZADD", QUEUE, "5", "x")
    await redis.execute_command("ZADD", ASIDE, "4", "x")
    assert await worker.heads([DEFAULT]) == {DEFAULT: (5, 4)}
