"""The probes and metrics of real workers, over real HTTP."""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from tests.integration.engine.calls import get, submit
from tests.support.children import Child
from tests.support.mariadb import MariaDBServer
from tests.support.metrics import parsed
from tests.support.ports import free_port
from tests.support.processes import ServerProcess, environment, run_server_command
from tests.support.raw_http import ask, connection
from tests.support.stack import NewStack
from tests.support.waiting import wait_until

OK = {"status": "ok"}
READY = {"status": "ok", "reasons": []}
SLOW_START = """
import time
from pathlib import Path
from taskq_server import handler, on_startup

@on_startup
async def up(state):
    while not Path("go").exists():
        time.sleep(0.05)

@handler("tests.nothing")
async def nothing() -> None: ...
"""
_ID = re.compile(rb"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


class Status:
    """A client of a worker's port."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=20, trust_env=False)

    def ready(self) -> object:
        """What /readyz says, and None while nobody listens."""
        try:
            answer = self.get("/readyz")
        except httpx.TransportError:
            return None
        assert answer.status_code == (200 if answer.json()["status"] == "ok" else 503)
        return answer.json()

    def wait_for(self, *reasons: str, process: Child) -> None:
        said = {"status": "unavailable" if reasons else "ok", "reasons": [*reasons]}
        wait_until(lambda: self.ready() == said, 60, f"{said}", 0.05, process.output)


@contextmanager
def worker(
    folder: Path, *words: str, code: str = SLOW_START, **settings: str
) -> Iterator[tuple[ServerProcess, Status]]:
    """A worker with these handlers, on a database of its own, without Redis."""
    (folder / "status_handlers.py").write_text(code)
    port = free_port()
    given = {
        "TASKQ_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'taskq.db'}",
        "TASKQ_REDIS_URL": "redis://127.0.0.1:1/0",
        "TASKQ_HANDLERS": "status_handlers",
        "TASKQ_METRICS_ADDRESS": str(port),
        "PYTHONPATH": os.pathsep.join([str(folder), environment({})["PYTHONPATH"]]),
        **settings,
    }
    assert run_server_command(["db", "upgrade"], given).returncode == 0
    process = ServerProcess(["worker", *words], given, folder / "log")
    try:
        yield process, Status(port)
    finally:
        process.stop()


@pytest.mark.parametrize("words", [[], ["--no-supervisor"]], ids=["supervised", "alone"])
def test_a_worker_answers_from_its_start_to_its_end(tmp_path: Path, words: list[str]) -> None:
    """Without a key, whatever the API asks for."""
    with worker(tmp_path, *words, TASKQ_AUTH="required") as (process, status):
        status.wait_for("starting", process=process)
        assert (status.get("/livez").status_code, status.get("/livez").json()) == (200, OK)
        (tmp_path / "go").touch()
        status.wait_for(process=process)
        assert (status.get("/livez").status_code, status.get("/livez").json()) == (200, OK)
        for path in ("/", "/readyz/", "/tasks", "/docs", "/openapi.json", "/livez.json"):
            assert status.get(path).status_code == 404
        shown = status.get("/metrics")
        assert shown.status_code == 200
        assert "taskq_attempts" in shown.text
        assert parsed(shown.text)["process_start_time_seconds"]
        assert not _ID.search(shown.content)
        assert process.stop() == 0
        assert status.ready() is None
    assert f"probes and metrics of this worker are at {status.url}" in process.output()


def test_a_worker_that_starts_again_answers_at_the_same_address(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    code = SLOW_START.replace("async def up(state):", "async def up(state):\n    note()").replace(
        "@on_startup",
        "import os\ndef note(): Path('pid').write_text(str(os.getpid()))\n@on_startup",
    )
    with worker(tmp_path, code=code) as (process, status):
        for _ in range(2):
            status.wait_for(process=process)
            os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
            wait_until(lambda: status.ready() is None, 60, "it is gone")
        status.wait_for(process=process)


def test_what_is_no_request_for_it_is_refused_and_holds_nothing_up(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    with worker(tmp_path) as (process, status), ExitStack() as held:
        status.wait_for(process=process)
        port = int(status.url.rpartition(":")[2])
        head = ask(port, b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (head.status, head.headers["content-length"]) == (200, str(len(b'{"status": "ok"}')))
        assert ask(port, b"GET /livez?x=1 HTTP/1.0\r\n\r\n").status == 200
        posted = ask(port, b"POST /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (posted.status, posted.headers["allow"]) == (405, "GET, HEAD")
        assert ask(port, b"GET /livez\r\n\r\n").status == 400
        assert ask(port, b"\x16\x03\x01\r\n\r\n").status == 400
        assert ask(port, b"GET /livez HTTP/1.1\r\nX: " + b"x" * 20_000).status == 431
        for _ in range(200):
            held.enter_context(connection(port)).sendall(b"GET /livez HTTP/1.1\r\nX: ")
        began = time.monotonic()
        assert status.get("/livez").status_code == 200
        assert time.monotonic() - began < 4, "sooner than those who say nothing are left"


@pytest.mark.parametrize("words", [[], ["--no-supervisor"]], ids=["supervised", "alone"])
@pytest.mark.parametrize("address", ["in use", "nowhere.invalid:9100", "192.0.2.1:9100", "*:9100"])
def test_an_address_that_cannot_be_listened_on_is_one_sentence(
    tmp_path: Path, address: str, words: list[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        check_refused(tmp_path, taken if address == "in use" else address, words, "cannot listen")


@pytest.mark.parametrize("address", ["http://127.0.0.1:9100", "::1:9100", "127.0.0.1", "65536"])
def test_an_address_that_makes_no_sense_is_one_sentence(tmp_path: Path, address: str) -> None:
    check_refused(tmp_path, address, [], "must be a port, or a host and a port")


def check_refused(folder: Path, address: str, words: list[str], says: str) -> None:
    settings = {
        "TASKQ_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'taskq.db'}",
        "TASKQ_REDIS_URL": "redis://127.0.0.1:1/0",
        "TASKQ_METRICS_ADDRESS": address,
    }
    done = run_server_command(["worker", *words], settings)
    assert done.returncode == os.EX_CONFIG, done
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"taskq-server: TASKQ_METRICS_ADDRESS: {says}")


def test_a_free_port_is_named(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    with worker(tmp_path, TASKQ_METRICS_ADDRESS="[::1]:0") as (process, _):
        wait_until(lambda: "http://[::1]:" in process.output(), 60, "it says where", 0.05)
        port = process.output().partition("http://[::1]:")[2].partition('"')[0]
        assert httpx.get(f"http://[::1]:{port}/livez", trust_env=False).json() == OK


def test_a_blocked_event_loop_keeps_no_probe_waiting(new_stack: NewStack) -> None:
    port = free_port()
    settings = {"TASKQ_METRICS_ADDRESS": str(port), "TASKQ_HANDLERS": "tests.support.poison"}
    stack = new_stack("mariadb", settings={**settings, "TASKQ_LEASE_SECONDS": "60"}, workers=0)
    blocked, status = stack.start_worker(), Status(port)
    status.wait_for(process=blocked)
    stack.wait_for_handlers()
    task_id = submit(stack, "tests.block", {"seconds": 15})
    wait_until(lambda: get(stack, task_id)["status"] == "running", 60, "it runs")
    status.wait_for("event-loop-blocked", process=blocked)
    assert status.get("/livez").json() == OK
    assert get(stack, task_id)["status"] == "running"
    status.wait_for(process=blocked)


def test_a_worker_that_drains_lives_and_is_not_ready(new_stack: NewStack) -> None:
    port = free_port()
    stack = new_stack("mariadb", settings={"TASKQ_METRICS_ADDRESS": str(port)}, workers=0)
    draining, status = stack.start_worker(), Status(port)
    status.wait_for(process=draining)
    stack.wait_for_handlers()
    task_id = submit(stack, "taskq.sleep", {"seconds": 8})
    wait_until(lambda: get(stack, task_id)["status"] == "running", 60, "it runs")
    draining.signal(signal.SIGTERM)
    status.wait_for("draining", process=draining)
    assert status.get("/livez").json() == OK
    assert draining.wait(60) == 0
    assert get(stack, task_id)["status"] == "succeeded"
    assert UUID(task_id)


def test_a_worker_without_a_lease_lives_and_is_not_ready(tmp_path: Path, redis_url: str) -> None:
    with MariaDBServer(flush_log=2) as server, server.database() as url:
        (tmp_path / "go").touch()
        settings = {"TASKQ_DATABASE_URL": url, "TASKQ_REDIS_URL": redis_url}
        with worker(tmp_path, **settings, TASKQ_LEASE_SECONDS="2") as (process, status):
            status.wait_for(process=process)
            server.kill()
            status.wait_for("lease-expired", process=process)
            assert status.get("/livez").json() == OK
            server.start()
            status.wait_for(process=process)
