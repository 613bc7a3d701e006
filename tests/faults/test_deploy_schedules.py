"""Releases that declare schedules in code, rolled forward and back on real workers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest

from taskq_server.core.database import Connection, Database
from taskq_server.crud import declarations, schedules
from taskq_server.domain.schedule import Schedule
from tests.support.calls import Calls
from tests.support.processes import ServerProcess
from tests.support.stack import NewStack, Stack
from tests.support.waiting import wait_until

T = TypeVar("T")
RELEASES = {one: f"tests.faults.nightly_{one}" for one in ("v1", "v2", "v3")}
HANDLER = "nightly.clean"
WORKS = " handlers on queues "


class Deploy:
    """A fleet whose workers have one release each."""

    def __init__(self, stack: Stack, calls: Calls) -> None:
        self.stack = stack
        self.calls = calls

    def start(self, release: str, **settings: str) -> ServerProcess:
        """Start a worker, and wait until it has published."""
        module = RELEASES[release]
        process = self.stack.start_worker({"TASKQ_HANDLERS": module, **settings})
        wait_until(lambda: WORKS in process.output(), 60, f"{release} works", 0.05)
        return process

    def end(self, process: ServerProcess, *, kill: bool = False) -> None:
        """End a worker, and wait until it is live no more."""
        before = self.workers()
        self.stack.workers.remove(process)
        if kill:
            process.kill()
        else:
            process.stop(60)
        wait_until(lambda: self.workers() < before, 60, "the worker has ended", 0.05)

    def workers(self) -> int:
        """How many live workers have the handler."""
        items = self.calls.http.get("/handlers").raise_for_status().json()["items"]
        return sum(one["workers"] for one in items if one["name"] == HANDLER)

    def schedule(self, namespace: str = "default") -> Schedule | None:
        """The schedule in the database."""

        async def read() -> Schedule | None:
            database = Database(self.stack.database_url, pool_size=1)
            try:
                return await database.read(lambda c: schedules.get(c, namespace, f"code:{HANDLER}"))
            finally:
                await database.close()

        return asyncio.run(read())

    def in_force(self, namespace: str = "default") -> str:
        """The release whose declaration is in force."""
        found = self.schedule(namespace)
        if found is None:
            return "v1"
        return "v2" if found.cron == "0 6 * * *" else "v3"

    def latest(self) -> str:
        """The release whose declaration was first published latest."""
        known = self._read(lambda c: declarations.known(c, [HANDLER], None))
        last = max(known, key=lambda one: one.first_published_at)
        return "v1" if last.text is None else "v2" if "0 6" in last.text else "v3"

    def _read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async def read() -> T:
            database = Database(self.stack.database_url, pool_size=1)
            try:
                return await database.read(work)
            finally:
                await database.close()

        return asyncio.run(read())

    def fired(self) -> list[dict[str, Any]]:
        """The tasks of the schedule, the newest first."""
        asked = {"schedule": f"code:{HANDLER}", "limit": 200}
        answer = self.calls.http.get("/tasks", params=asked).raise_for_status()
        return list(answer.json()["items"])

    def until_fired(self, number: int) -> None:
        """Wait until it has fired so often."""
        wait_until(lambda: len(self.fired()) >= number, 60, f"it fires {number} times", 0.1)

    def until_in_force(self, release: str) -> None:
        """Wait until this release's declaration is in force."""
        wait_until(lambda: self.in_force() == release, 60, f"{release} is in force", 0.1)


def said(schedule: Schedule | None) -> tuple[object, ...] | None:
    """What firing leaves as it is."""
    if schedule is None:
        return None
    return schedule.id, schedule.declaration, schedule.version, schedule.updated_at


@pytest.fixture
def stack(new_stack: NewStack) -> Stack:
    settings = {"TASKQ_LEASE_SECONDS": "2", "TASKQ_JANITOR_SECONDS": "0.5"}
    return new_stack("mariadb", settings=settings, workers=0)


@pytest.fixture
def deploy(stack: Stack) -> Iterator[Deploy]:
    with Calls(stack.api_url) as calls:
        yield Deploy(stack, calls)


@pytest.mark.timeout(300)
def test_three_releases_are_rolled_forward_and_back(deploy: Deploy) -> None:
    v1 = deploy.start("v1")
    assert deploy.in_force() == "v1"
    v2 = deploy.start("v2")
    assert deploy.in_force() == "v2", "a new release wins at its first start"
    deploy.end(v1)
    v1 = deploy.start("v1")
    assert deploy.in_force() == "v2", "the restart of an old worker changes nothing"
    v3 = deploy.start("v3")
    assert deploy.in_force() == "v3"
    deploy.end(v2)
    v2 = deploy.start("v2")
    assert deploy.in_force() == "v3"
    deploy.end(v3, kill=True)
    deploy.until_in_force("v2")
    deploy.end(v2)
    deploy.until_in_force("v1")
    deploy.end(v1)
    v3 = deploy.start("v3")
    deploy.until_in_force("v3")
    deploy.end(v3)
    assert deploy.in_force() == "v3", "without a worker the last one stays"


@pytest.mark.timeout(300)
def test_workers_of_two_releases_that_start_together_agree(deploy: Deploy) -> None:
    started = [
        deploy.stack.start_worker({"TASKQ_HANDLERS": RELEASES[release]})
        for release in ("v1", "v2", "v3") * 2
    ]
    for each in started:
        wait_until(lambda each=each: WORKS in each.output(), 120, "it works", 0.05)
    found = said(deploy.schedule())
    assert deploy.in_force() == deploy.latest()
    for each in started[::2]:  # one of each release is left
        deploy.end(each, kill=True)
    for release in ("v2", "v1", "v3"):
        deploy.start(release)
    assert said(deploy.schedule()) == found


@pytest.mark.timeout(300)
def test_its_tasks_have_what_the_handler_says_and_a_pause_survives_deploys(deploy: Deploy) -> None:
    v3 = deploy.start("v3")
    path = f"/schedules/code:{HANDLER}"
    deploy.until_fired(2)
    newest = deploy.fired()[0]
    assert (newest["handler"], newest["tags"]) == (HANDLER, ["nightly"])
    assert newest["schedule"]["name"] == f"code:{HANDLER}"
    done = deploy.calls.until(deploy.fired()[-1]["id"], "succeeded")
    assert (done["payload"], done["result"]) == ({}, "v3 7")
    put = deploy.calls.http.put(path, json={"cron": "@daily", "task": {"handler": HANDLER}})
    patch = deploy.calls.http.patch(path, json={"cron": "@daily"})
    for refused in (put, patch, deploy.calls.http.delete(path)):
        assert (refused.status_code, refused.json()["code"]) == (409, "declared-in-code")
    paused = deploy.calls.http.post(f"{path}/pause", json={"note": "why"}).raise_for_status()
    assert paused.json()["declared"] is True
    before = len(deploy.fired())
    v2 = deploy.start("v2")
    deploy.end(v3)
    v1 = deploy.start("v1")
    deploy.end(v2)
    deploy.until_in_force("v1")
    assert deploy.calls.http.get(path).status_code == 404
    v3 = deploy.start("v3")
    deploy.end(v1)
    deploy.until_in_force("v3")
    found = deploy.calls.http.get(path).raise_for_status().json()
    assert (found["paused"], found["note"], found["next_fire_at"]) == (True, "why", None)
    by_hand = deploy.calls.http.post(f"{path}/fire")
    assert by_hand.status_code == 201
    deploy.calls.until(by_hand.json()["id"], "succeeded")
    assert len(deploy.fired()) == before + 1
    deploy.calls.http.post(f"{path}/resume").raise_for_status()
    deploy.until_fired(before + 3)
