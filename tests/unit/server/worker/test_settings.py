"""What arq is told."""

import pytest
from arq.worker import Function, Worker

from taskq_server.broker.connection import connect, decode, encode
from taskq_server.core.config import Settings
from taskq_server.worker.functions import execute_task
from taskq_server.worker.settings import WorkerSettings


@pytest.mark.parametrize("retries", [0, 3, 100])
def test_max_tries_is_max_retries_plus_one(retries: int) -> None:
    assert WorkerSettings.of(Settings(max_retries=retries)).max_tries == retries + 1


def test_the_settings_say_how_long_and_how_many() -> None:
    told = WorkerSettings.of(Settings(timeout_seconds=12.5, concurrency=7, poll_seconds=0.25))
    assert (told.job_timeout, told.max_jobs, told.poll_delay) == (12.5, 7, 0.25)


def test_arq_never_retries_and_keeps_no_result() -> None:
    told = WorkerSettings.of(Settings())
    assert told.retry_jobs is False
    assert told.keep_result == 0
    assert told.handle_signals is False
    (function,) = told.functions
    assert isinstance(function, Function)
    assert (function.name, function.coroutine) == ("execute_task", execute_task)
    assert function.keep_result_s == 0


async def test_arq_takes_the_arguments() -> None:
    redis = connect("redis://127.0.0.1:1/0")
    arguments = WorkerSettings.of(Settings(concurrency=7)).arguments(redis, {"runner": None})
    worker = Worker(**arguments)
    assert (worker.max_jobs, worker.max_tries, worker.retry_jobs) == (7, 4, False)
    assert set(worker.functions) == {"execute_task"}
    assert "runner" in worker.ctx
    assert (worker.job_serializer, worker.job_deserializer) == (encode, decode)
    await redis.aclose()


def test_jobs_are_json() -> None:
    job = {"f": "execute_task", "a": ["x", 1]}
    assert encode(job) == b'{"f":"execute_task","a":["x",1]}'
    assert decode(encode(job)) == job
