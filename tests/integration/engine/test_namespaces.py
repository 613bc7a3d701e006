"""Workers keep to their namespaces: on one database and one Redis, and with Redis away."""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.children import stop_all
from tests.support.ports import free_port
from tests.support.processes import ApiProcess, ServerProcess, run_server_command
from tests.support.waiting import wait_until

ONE, OTHER, NEW = "one", "øther", "new"
TASKS = 100
NO_REDIS = "redis://127.0.0.1:1"


class Processes:
    """APIs and workers on one migrated database."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.settings = {"TASKQ_DATABASE_URL": database_url}
        self._folder = folder
        self.started: list[ServerProcess] = []
        self.clients = ExitStack()

    def api(self, namespace: str, redis_url: str) -> httpx.Client:
        """Start an API, and return a client of it."""
        settings = self._settings(redis_url, {"TASKQ_NAMESPACE": namespace})
        process = ApiProcess(["api"], settings, self._log(), free_port())
        self.started.append(process)
        process.wait_ready()
        client = httpx.Client(base_url=process.url, timeout=70, trust_env=False)
        return self.clients.enter_context(client)

    def worker(self, redis_url: str, **settings: str) -> ServerProcess:
        """Start a worker."""
        process = ServerProcess(["worker"], self._settings(redis_url, settings), self._log())
        self.started.append(process)
        return process

    def _settings(self, redis_url: str, more: Mapping[str, str]) -> dict[str, str]:
        return {
            **self.settings,
            "TASKQ_REDIS_URL": redis_url,
            "TASKQ_BUILTIN_HANDLERS": "true",
            "TASKQ_HANDLERS": "tests.support.handlers",
            **more,
        }

    def _log(self) -> Path:
        return self._folder / f"{len(self.started)}.log"


@pytest.fixture
def processes(database_url: str, tmp_path: Path) -> Iterator[Processes]:
    done = run_server_command(["db", "upgrade"], {"TASKQ_DATABASE_URL": database_url})
    assert done.returncode == 0, done.stderr
    processes = Processes(database_url, tmp_path)
    for name in (ONE, OTHER):
        make(processes, name)
    try:
        with processes.clients:
            yield processes
    finally:
        stop_all(processes.started)


def make(processes: Processes, name: str) -> None:
    done = run_server_command(["namespaces", "create", name], processes.settings)
    assert done.returncode == 0, done.stderr


def wait_for_handlers(api: httpx.Client) -> None:
    def published() -> bool:
        answer = api.get("/handlers")
        return answer.is_success and '"tests.pid"' in answer.text

    wait_until(published, 180, "handlers are published", 0.05)


def submit(api: httpx.Client, count: int, seconds: float = 0) -> list[str]:
    tasks = [{"handler": "tests.pid", "payload": {"seconds": seconds}}] * count
    answer = api.post("/tasks/batch", json={"items": tasks})
    assert answer.status_code == 201, answer.text
    return [item["id"] for item in answer.json()["items"]]


def results(api: httpx.Client, ids: Sequence[str]) -> list[Any]:
    """What the tasks returned; None for one that has not succeeded."""

    def result(task_id: str) -> Any:
        found = api.get(f"/tasks/{task_id}", params={"wait": 60}).raise_for_status().json()
        return found["result"] if found["status"] == "succeeded" else None

    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(result, ids))


def children(process: ServerProcess) -> set[int]:
    """The processes that run a worker's tasks."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return {int(pid) for pid in found.split()}


@pytest.mark.parametrize("away", [False, True], ids=["redis", "no redis"])
def test_no_task_runs_on_a_worker_of_another_namespace(
    processes: Processes, redis_url: str, away: bool
) -> None:
    url = NO_REDIS if away else redis_url
    workers = {name: processes.worker(url, TASKQ_NAMESPACE=name) for name in (ONE, OTHER)}
    apis = {name: processes.api(name, url) for name in workers}
    for api in apis.values():
        wait_for_handlers(api)
    tasks: dict[str, list[str]] = {name: [] for name in apis}
    for _ in range(10):
        for name, api in apis.items():
            tasks[name] += submit(api, TASKS // 10)
    for name, api in apis.items():
        ran = results(api, tasks[name])
        assert len(ran) == TASKS
        assert set(ran) <= children(workers[name]), name


def test_a_task_waits_for_a_worker_of_its_namespace(processes: Processes, redis_url: str) -> None:
    api = processes.api(OTHER, redis_url)
    gone = processes.worker(redis_url, TASKQ_NAMESPACE=OTHER)
    wait_for_handlers(api)
    gone.stop()
    mine = processes.api(ONE, redis_url)
    processes.worker(redis_url, TASKQ_NAMESPACE=ONE, TASKQ_JANITOR_SECONDS="0.1")
    wait_for_handlers(mine)
    (waiting,) = submit(api, 1)
    later = submit(mine, 1, seconds=3)  # past what a janitor leaves alone for
    assert None not in results(mine, later)
    assert api.get(f"/tasks/{waiting}").json()["status"] == "queued"
    processes.worker(redis_url, TASKQ_NAMESPACES=f"{ONE},{OTHER}")
    assert None not in results(api, [waiting])


@pytest.mark.parametrize("away", [False, True], ids=["redis", "no redis"])
def test_a_worker_serves_two_namespaces_fairly(
    processes: Processes, redis_url: str, away: bool
) -> None:
    """The backlog of one namespace takes half a minute, and a task of the other does not."""
    url = NO_REDIS if away else redis_url
    processes.worker(url, TASKQ_NAMESPACES=f"{ONE},{OTHER}", TASKQ_CONCURRENCY="2")
    apis = [processes.api(name, url) for name in (ONE, OTHER)]
    for backlog, other in (apis, apis[::-1]):
        wait_for_handlers(backlog)
        wait_for_handlers(other)
        before = submit(backlog, 120, seconds=0.5)
        assert None not in results(other, submit(other, 5))
        assert backlog.get(f"/tasks/{before[-1]}").json()["status"] == "queued"
        for task_id in before:
            backlog.post(f"/tasks/{task_id}/cancel")


def test_a_cancel_and_progress_reach_each_namespace(processes: Processes, redis_url: str) -> None:
    patient = {"TASKQ_LEASE_SECONDS": "600"}  # the heartbeat would find the cancel, too
    processes.worker(redis_url, TASKQ_NAMESPACES=f"{ONE},{OTHER}", **patient)
    for name in (ONE, OTHER):
        api = processes.api(name, redis_url)
        wait_for_handlers(api)
        (task_id,) = submit(api, 1, seconds=60)

        def has_progress(api: httpx.Client = api, task_id: str = task_id) -> bool:
            return bool(json.loads(api.get(f"/tasks/{task_id}").text)["progress"])

        wait_until(has_progress, 180, "progress is stored")
        api.post(f"/tasks/{task_id}/cancel").raise_for_status()
        found = api.get(f"/tasks/{task_id}", params={"wait": 30}).json()
        assert found["status"] == "cancelled"


def test_only_a_worker_of_the_namespace_rescues_and_counts(
    processes: Processes, redis_url: str
) -> None:
    short = {"TASKQ_LEASE_SECONDS": "1", "TASKQ_JANITOR_SECONDS": "0.2"}
    mine, others = (processes.api(name, redis_url) for name in (ONE, OTHER))
    gone = processes.worker(redis_url, TASKQ_NAMESPACE=ONE, **short)
    processes.worker(redis_url, TASKQ_NAMESPACE=OTHER, **short)
    for api in (mine, others):
        wait_for_handlers(api)
        assert api.get("/stats").json()["workers"] == 1
    (lost,) = submit(mine, 1, seconds=3)

    def status() -> str:
        return str(mine.get(f"/tasks/{lost}").json()["status"])

    wait_until(lambda: status() == "running", 180, "it runs")
    gone.kill()
    assert None not in results(others, submit(others, 1, seconds=4))  # a dozen sweeps
    assert status() == "running"
    assert mine.get("/stats").json()["workers"] == 0
    assert {one["workers"] for one in mine.get("/handlers").json()["items"]} == {0}
    processes.worker(redis_url, TASKQ_NAMESPACE=ONE, **short)
    assert None not in results(mine, [lost])


@pytest.mark.parametrize("away", [False, True], ids=["redis", "no redis"])
def test_a_worker_of_all_takes_up_a_new_namespace_within_a_beat(
    processes: Processes, redis_url: str, away: bool
) -> None:
    """Its handlers are there for a namespace that has none of its own."""
    url = NO_REDIS if away else redis_url
    slow = {"TASKQ_LEASE_SECONDS": "5", "TASKQ_JANITOR_SECONDS": "60"}
    worker = processes.worker(url, TASKQ_NAMESPACES="*", **slow)
    api = processes.api(ONE, url)
    wait_for_handlers(api)
    assert set(results(api, submit(api, 10))) <= children(worker)
    make(processes, NEW)
    later = processes.api(NEW, url)
    wait_for_handlers(later)
    assert later.get("/stats").json()["workers"] == 1
    assert {one["workers"] for one in later.get("/handlers").json()["items"]} == {1}
    (task_id,) = submit(later, 1)
    assert later.get(f"/tasks/{task_id}", params={"wait": 10}).json()["status"] == "succeeded"


def test_a_cancel_reaches_a_worker_of_all(processes: Processes, redis_url: str) -> None:
    processes.worker(redis_url, TASKQ_NAMESPACES="*", TASKQ_LEASE_SECONDS="600")
    api = processes.api(OTHER, redis_url)
    wait_for_handlers(api)
    (task_id,) = submit(api, 1, seconds=60)

    def runs() -> bool:
        return bool(api.get(f"/tasks/{task_id}").json()["status"] == "running")

    wait_until(runs, 180, "it runs")
    api.post(f"/tasks/{task_id}/cancel").raise_for_status()
    assert api.get(f"/tasks/{task_id}", params={"wait": 30}).json()["status"] == "cancelled"


def test_a_worker_of_all_does_not_start_with_a_name_that_nobody_made(
    processes: Processes, redis_url: str
) -> None:
    settings = {**processes.settings, "TASKQ_REDIS_URL": redis_url, "TASKQ_NAMESPACES": "oen"}
    done = run_server_command(["worker"], settings)
    assert done.returncode == 78
    assert "TASKQ_NAMESPACES: there is no namespace oen: did you mean one?" in done.stderr
