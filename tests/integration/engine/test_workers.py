"""What real workers say about themselves, while they live and when they are gone."""

import socket

from taskq_client import TaskqClient, Worker
from taskq_server import __version__
from tests.support.stack import NewStack
from tests.support.waiting import wait_until

LEASE = {"TASKQ_LEASE_SECONDS": "2", "TASKQ_DRAIN_SECONDS": "0", "TASKQ_BEAT_SECONDS": "0.5"}


def test_a_worker_says_who_it_is_what_it_runs_and_that_it_lives(new_stack: NewStack) -> None:
    stack = new_stack("mariadb", settings=LEASE)
    with TaskqClient(stack.api_url) as client:
        task = client.submit("tests.pid", {"seconds": 600})
        wait_until(lambda: task.refresh().progress is not None, 60, "it runs")
        assert task.progress is not None
        (worker,) = client.workers()
        assert worker.name == f"{socket.gethostname()}:{task.progress.current:g}"
        assert (worker.namespaces, worker.queues) == (["default"], ["default"])
        assert {"tests.pid", "taskq.echo"} <= set(worker.handlers)
        assert (worker.version, worker.concurrency) == (__version__, 100)
        (running,) = worker.running
        assert (running.id, running.handler, running.attempt) == (task.id, "tests.pid", 1)
        assert (running.started_at, running.quarantined) == (task.started_at, False)

        def has_beaten() -> bool:
            (now,) = client.workers()
            return now.heartbeat_at > worker.heartbeat_at

        wait_until(has_beaten, 30, "another heartbeat")
        assert stack.stop_worker() == 0
        assert client.workers() == []
        (released,) = client.attempts(task)
        assert (released.outcome, released.worker_name) == ("released", worker.name)


def test_a_killed_worker_leaves_its_name_and_its_task_to_a_quarantine(new_stack: NewStack) -> None:
    stack = new_stack("mariadb", settings=LEASE)
    with TaskqClient(stack.api_url) as client:
        task = client.submit("tests.pid", {"seconds": 600})
        wait_until(lambda: task.refresh().status == "running", 60, "it runs")
        (killed,) = client.workers()
        stack.kill_worker()
        wait_until(lambda: client.workers() == [], 30, "its lease is over")
        stack.start_worker()

        def busy() -> list[Worker]:
            return [worker for worker in client.workers() if worker.running]

        wait_until(lambda: bool(busy()), 60, "it runs again")
        (other,) = busy()
        assert other.id != killed.id
        assert (other.running[0].id, other.running[0].attempt) == (task.id, 2)
        assert (other.running[0].quarantined, other.quarantine_in_use) == (True, 1)
        (lost,) = client.attempts(task)
        assert (lost.outcome, lost.worker_name) == ("lost", killed.name)
        assert client.get(task).errors[0].worker_name == killed.name
