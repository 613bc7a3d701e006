"""Handlers for trying things out are in `dev`, and in a worker that was asked for them."""

import functools
from pathlib import Path

import httpx
import pytest

from tests.support.ports import free_port
from tests.support.processes import ApiProcess, ServerProcess
from tests.support.stack import HANDLERS, NewStack
from tests.support.waiting import wait_until

BUILTIN = {"taskq.echo", "taskq.sleep", "taskq.flaky"}


def handlers(url: str) -> set[str]:
    with httpx.Client(base_url=url, timeout=180, trust_env=False) as client:
        return {each["name"] for each in client.get("/handlers").raise_for_status().json()["items"]}


def submit(url: str, handler: str) -> httpx.Response:
    with httpx.Client(base_url=url, timeout=180, trust_env=False) as client:
        return client.post("/tasks", json={"handler": handler, "payload": {"seconds": 86_400}})


def test_a_worker_has_them_when_asked(new_stack: NewStack, tmp_path: Path) -> None:
    stack = new_stack("mariadb", workers=0)
    for asked, found in (("", set()), ("false", set()), ("1", BUILTIN)):
        settings = {
            "TASKQ_DATABASE_URL": stack.database_url,
            "TASKQ_REDIS_URL": stack.redis_url or "",
            "TASKQ_HANDLERS": HANDLERS,
            "TASKQ_BUILTIN_HANDLERS": asked,
            "TASKQ_DRAIN_SECONDS": "0",
        }
        worker = ServerProcess(["worker"], settings, tmp_path / f"worker{asked}.log")
        try:
            says_so = functools.partial(says, worker, " runs ")
            wait_until(says_so, 180, "its handlers are published", details=worker.output)
            assert handlers(stack.api_url) & BUILTIN == found
            assert submit(stack.api_url, "taskq.sleep").status_code == (201 if found else 422)
        finally:
            worker.stop()


def says(process: ServerProcess, words: str) -> bool:
    return words in process.output()


@pytest.mark.parametrize(
    ("asked", "found"),
    [({}, BUILTIN), ({"TASKQ_BUILTIN_HANDLERS": "false"}, set())],
)
def test_dev_has_them_unless_told_otherwise(
    tmp_path: Path, asked: dict[str, str], found: set[str]
) -> None:
    settings = {"TASKQ_HANDLERS": HANDLERS, **asked}
    server = ApiProcess(["dev"], settings, tmp_path / "dev.log", free_port())
    try:
        server.wait_ready()
        wait_until(lambda: handlers(server.url), 180, "published", details=server.output)
        assert handlers(server.url) & BUILTIN == found
    finally:
        server.stop()


def test_a_server_without_any_handlers_says_so(tmp_path: Path) -> None:
    settings = {"TASKQ_BUILTIN_HANDLERS": "false"}
    server = ApiProcess(["dev"], settings, tmp_path / "dev.log", free_port())
    try:
        server.wait_ready()
        words = "no handlers are loaded: name their modules in TASKQ_HANDLERS"
        wait_until(lambda: says(server, words), 180, words, details=server.output)
        assert submit(server.url, "taskq.sleep").status_code == 422
    finally:
        assert server.stop() == 0
