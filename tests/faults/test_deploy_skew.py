"""Workers of two versions at the same time, as during a deploy."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.calls import Calls
from tests.support.stack import NewStack, Stack
from tests.support.waiting import wait_until

MODULES = {one: f"tests.faults.mail_{one}" for one in ("v1", "v2")}
NEW = {"to": "a", "locale": "de"}


class Deploy:
    """A fleet of workers with one version of a handler each."""

    def __init__(self, stack: Stack, calls: Calls) -> None:
        self.stack = stack
        self.calls = calls

    def start(self, version: str, **settings: str) -> None:
        """Start a worker, and wait until it can run tasks."""
        before = self.workers()
        self.stack.start_worker({"TASKQ_HANDLERS": MODULES[version], **settings})
        wait_until(lambda: self.workers() > before, 30, f"{version} works", 0.05)

    def workers(self) -> int:
        """How many live workers there are for `mail.send`."""
        return int(self.handler().get("workers", 0))

    def handler(self) -> dict[str, Any]:
        """What is published about `mail.send`."""
        items = self.calls.http.get("/handlers").raise_for_status().json()["items"]
        found = [one for one in items if one["name"] == "mail.send"]
        return dict(found[0]) if found else {}

    def published(self) -> str:
        """Which version's schema is published."""
        return "v2" if "locale" in self.handler()["schema"]["properties"] else "v1"

    def until_published(self, version: str) -> None:
        """Wait until this version's schema is published."""
        wait_until(lambda: self.published() == version, 30, f"{version} is published", 0.05)


@pytest.fixture
def deploy(new_stack: NewStack) -> Iterator[Deploy]:
    settings = {"TASKQ_LEASE_SECONDS": "2", "TASKQ_JANITOR_SECONDS": "0.5"}
    stack = new_stack("mariadb", settings=settings, workers=0)
    with Calls(stack.api_url) as calls:
        yield Deploy(stack, calls)


@pytest.mark.timeout(120)
def test_what_only_the_new_version_takes_gets_to_it(deploy: Deploy) -> None:
    deploy.start("v1")
    deploy.start("v2")
    deploy.until_published("v2")
    calls = deploy.calls
    ids = [calls.submit("mail.send", NEW) for _ in range(20)]
    deep = [calls.submit("mail.compute", {"e": {"n": 1}, "more": 1}) for _ in range(4)]
    found = [calls.until(one, "succeeded", 60) for one in (*ids, *deep)]
    assert [one["result"] for one in found] == ["v2 a de"] * 20 + ["v2"] * 4
    assert {one["current_retry_count"] for one in found} == {0}
    assert not any(one["errors"] for one in found)
    put_off = [one for id_ in (*ids, *deep) for one in calls.attempts(id_)[:-1]]
    assert {(one["outcome"], one["type"]) for one in put_off} == {("released", "InvalidPayload")}
    old = [calls.submit("mail.send", {"to": "b"}) for _ in range(10)]
    assert {calls.until(one, "succeeded")["attempt"] for one in old} == {1}


@pytest.mark.timeout(120)
def test_an_old_worker_that_starts_again_does_not_bring_its_schema_back(deploy: Deploy) -> None:
    deploy.start("v1")
    deploy.start("v2")
    deploy.until_published("v2")
    deploy.stack.stop_worker()
    deploy.start("v1")
    assert deploy.published() == "v2"
    task = deploy.calls.submit("mail.send", NEW)
    assert deploy.calls.until(task, "succeeded", 60)["result"] == "v2 a de"
    deploy.start("v2")
    deploy.stack.kill_worker()  # the first of the new version: the second has its knowledge
    wait_until(lambda: deploy.workers() == 2, 30, "its lease ran out", 0.05)
    deploy.stack.stop_worker()
    deploy.start("v1")
    assert deploy.published() == "v2"


@pytest.mark.timeout(120)
def test_after_a_roll_back_the_old_schema_is_published(deploy: Deploy) -> None:
    deploy.start("v1")
    deploy.start("v2")
    deploy.until_published("v2")
    deploy.stack.stop_worker()
    deploy.start("v1")
    waiting = deploy.calls.submit("mail.send", NEW, delay_seconds=3600)
    deploy.stack.kill_worker()
    deploy.until_published("v1")
    deploy.calls.http.patch(f"/tasks/{waiting}", json={"run_at": None}).raise_for_status()
    failed = deploy.calls.until(waiting, "failed")
    assert (failed["attempt"], failed["errors"][-1]["type"]) == (1, "InvalidPayload")
    task = deploy.calls.submit("mail.send", {"to": "b"})
    assert deploy.calls.until(task, "succeeded")["result"] == "v1 b"


@pytest.mark.timeout(150)
def test_what_no_worker_takes_fails_in_the_end(deploy: Deploy) -> None:
    deploy.start("v1")
    deploy.start("v2", TASKQ_QUEUES="other")
    deploy.until_published("v2")
    task = deploy.calls.submit("mail.send", NEW)
    failed = deploy.calls.until(task, "failed", 120)
    assert deploy.calls.outcomes(task) == ["released"] * 10 + ["failed"]
    assert [one["type"] for one in failed["errors"]] == ["InvalidPayload"]
    assert failed["current_retry_count"] == 0
