"""The processes: how they start, refuse to start, stop, and come back."""

import json
import os
import signal
import socket
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from arq.connections import ArqRedis, RedisSettings, create_pool

from taskq_server.broker.connection import decode, encode
from tests.integration.engine.calls import get, submit
from tests.support.ports import free_port
from tests.support.processes import ServerProcess, run_server_command
from tests.support.stack import NewStack
from tests.support.waiting import wait_until

UNUSABLE = {
    "TASKQ_HANDLERS": "tests.support.unusable",
    "TASKQ_REDIS_URL": "redis://127.0.0.1:1/0",
}
OF_NO_NAMESPACE = {
    "TASKQ_HANDLERS": "tests.faults.nightly_v2",
    "TASKQ_REDIS_URL": "redis://127.0.0.1:1/0",
    "TASKQ_NAMESPACES": "*",
}


@pytest.mark.parametrize(
    ("words", "settings", "says"),
    [
        (["api"], {}, "TASKQ_REDIS_URL"),
        (["worker"], {}, "TASKQ_REDIS_URL"),
        (["worker", "--concurrency", "0"], {}, "TASKQ_CONCURRENCY"),
        (["api"], {"TASKQ_DATABASE_URL": "postgresql://x"}, "TASKQ_DATABASE_URL"),
        (["worker"], {"TASKQ_REDIS_URL": "http://x"}, "TASKQ_REDIS_URL"),
        (["dev", "--root-path", "//evil.example"], {}, "TASKQ_ROOT_PATH"),
        (["api"], {"TASKQ_TRUSTED_PROXIES": "nginx"}, "TASKQ_TRUSTED_PROXIES"),
        (["dev", "--handlers", "no.such.module"], {}, "no.such.module"),
        (["dev", "--handlers", "tests.support.unusable"], {}, "handler unusable.required: "),
        (["worker"], UNUSABLE, "handler unusable.required: "),
        (["worker"], OF_NO_NAMESPACE, "handler nightly.clean: this worker serves all namespaces"),
        (["dev"], OF_NO_NAMESPACE, "handler nightly.clean: this worker serves all namespaces"),
        (["db", "downgrade", "nonsense"], {}, "nonsense"),
        (["db", "check"], {}, "taskq-server db upgrade"),
    ],
)
def test_what_cannot_work_is_one_sentence(
    tmp_path: Path, words: list[str], settings: dict[str, str], says: str
) -> None:
    if words[0] == "dev":
        words = [*words, "--data-dir", str(tmp_path), "--port", str(free_port())]
    defaults = {"TASKQ_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'taskq.db'}"}
    done = run_server_command(words, defaults | settings)
    assert done.returncode == os.EX_CONFIG
    check_one_sentence(done, says)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["api", "--port", "65536"], "65536"),
        (["dev", "--port", "no"], "--port"),
        (["worker", "--log-level", "loud"], "'loud' is not one of"),
        (["worker", "--nonsense"], "taskq-server worker --help"),
        (["nonsense"], "taskq-server --help"),
        (["db", "downgrade"], "REVISION"),
    ],
)
def test_words_that_make_no_sense_are_one_sentence(words: list[str], says: str) -> None:
    done = run_server_command(words, {})
    assert done.returncode == 2
    check_one_sentence(done, says)


def check_one_sentence(done: "CompletedProcess[str]", says: str) -> None:
    assert says in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_old_schema_stops_api_and_worker(tmp_path: Path) -> None:
    settings = {
        "TASKQ_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'taskq.db'}",
        "TASKQ_REDIS_URL": "redis://127.0.0.1:1/0",
    }
    for words in (["api", "--port", str(free_port())], ["worker"]):
        done = run_server_command(words, settings)
        assert done.returncode == os.EX_CONFIG
        assert "taskq-server db upgrade" in done.stderr


def test_a_worker_that_waits_for_its_database_can_be_stopped(tmp_path: Path) -> None:
    settings = {
        "TASKQ_DATABASE_URL": f"mysql+asyncmy://nobody@127.0.0.1:{free_port()}/none",
        "TASKQ_REDIS_URL": "redis://127.0.0.1:1/0",
    }
    stop_once_it_says("the database does not answer", settings, tmp_path)


def test_a_worker_that_waits_for_its_lease_can_be_stopped(tmp_path: Path) -> None:
    """Its start-up hook makes the database forget everything, once the handlers are published."""
    (tmp_path / "losing.py").write_text(LOSING)
    settings = {
        "TASKQ_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'taskq.db'}",
        "TASKQ_REDIS_URL": "redis://127.0.0.1:1/0",
        "TASKQ_HANDLERS": "losing",
    }
    assert run_server_command(["db", "upgrade"], settings).returncode == 0
    stop_once_it_says("the database does not answer", settings, tmp_path)
    assert (tmp_path / "shut-down").exists()


LOSING = """
from pathlib import Path
from taskq_server import on_shutdown, on_startup

@on_startup
async def lose(state):
    Path("taskq.db").rename("lost.db")

@on_shutdown
async def note(state):
    Path("shut-down").touch()
"""


def stop_once_it_says(words: str, settings: dict[str, str], folder: Path) -> None:
    worker = ServerProcess(["worker"], settings, folder / "worker.log")
    try:
        wait_until(lambda: words in worker.output(), 180, words, 0.05, worker.output)
    finally:
        status = worker.stop(timeout=180)
    assert status == 0, worker.output()
    assert "Traceback" not in worker.output()


def test_an_api_that_is_told_to_stop_while_it_starts_stops(tmp_path: Path) -> None:
    """The second connection is that of its lifespan; it takes three seconds to give up on it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as database:
        database.settimeout(30)
        settings = {
            "TASKQ_DATABASE_URL": f"mysql+asyncmy://nobody@127.0.0.1:{database.getsockname()[1]}/x",
            "TASKQ_DATABASE_CONNECT_SECONDS": "3",
            "TASKQ_REDIS_URL": "redis://127.0.0.1:1/0",
        }
        api = ServerProcess(["api", "--port", str(free_port())], settings, tmp_path / "api.log")
        try:
            database.accept()[0].close()
            with database.accept()[0]:
                api.signal(signal.SIGTERM)
                assert api.wait(timeout=180) == 0, api.output()
        finally:
            api.stop()
    assert "Traceback" not in api.output()


def test_a_data_directory_belongs_to_one_dev_server(new_stack: NewStack) -> None:
    stack = new_stack("sqlite")
    folder = Path(stack.database_url.removeprefix("sqlite+aiosqlite:///")).parent
    words = ["dev", "--data-dir", str(folder), "--port", str(free_port())]
    done = run_server_command(words, {})
    assert done.returncode == os.EX_CONFIG
    assert "another taskq-server" in done.stderr


def test_dev_goes_on_where_it_was(new_stack: NewStack) -> None:
    stack = new_stack("sqlite", settings={"TASKQ_LEASE_SECONDS": "2"})
    waiting = submit(stack, "taskq.echo", {"value": 1}, delay_seconds=1.5)
    running = submit(stack, "taskq.sleep", {"seconds": 2})
    stack.kill_api()
    stack.start_api()
    assert get(stack, waiting, wait=60)["status"] == "succeeded"
    assert get(stack, running, wait=60)["status"] == "succeeded"


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_a_waiter_is_answered_when_the_api_stops(new_stack: NewStack, kind: Any) -> None:
    stack = new_stack(kind)
    task_id = submit(stack, "taskq.echo", {"value": 1}, delay_seconds=60)
    host, port = stack.api_url.removeprefix("http://").split(":")
    with closing(HTTPConnection(host, int(port), timeout=180)) as waiter:
        waiter.request("GET", f"/tasks/{task_id}?wait=50")
        submit(stack, "taskq.echo", {"value": "the waiter came first"})
        assert stack.stop_api() == 0
        assert json.load(waiter.getresponse())["status"] == "queued"


@pytest.mark.anyio
async def test_a_stock_arq_client_rings_as_well(new_stack: NewStack) -> None:
    stack = new_stack("mariadb")
    redis = stack.redis
    assert redis is not None
    stack.stop_worker()
    worker = stack.start_worker({"TASKQ_JANITOR_SECONDS": "60"})
    wait_until(lambda: " runs " in worker.output(), 180, "the janitor has swept")
    task_id = submit(stack, "taskq.echo", {"value": 1}, delay_seconds=2)
    wait_until(lambda: redis.size() > 0, 180, "the doorbell has been rung")
    redis.flush()
    pool: ArqRedis = await create_pool(
        RedisSettings(port=redis.port), job_serializer=encode, job_deserializer=decode
    )
    queue = stack.names.queue("default", "default")
    await pool.enqueue_job("execute_task", task_id, 1, _queue_name=queue, _defer_by=3)
    assert get(stack, task_id, wait=60)["status"] == "succeeded"
    assert redis.size() == 0
    await pool.aclose()
