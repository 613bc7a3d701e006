"""What strangers cost a real server, and what they see."""

import json
import random
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from taskq_server.domain.keys import Token, new_token
from tests.support import timing
from tests.support.keys import KeyStore, new_key, shown
from tests.support.ports import free_port
from tests.support.processes import ApiProcess, run_server_command
from tests.support.raw_http import connection, read
from tests.support.valkey import ValkeyServer

MEGABYTES = 8
CPU_SECONDS = 0.05
MORE_KILOBYTES = 1_024
TRIES = 1_000
BODY = b'{"items": [' + b"[" * (MEGABYTES * 1_048_576 - 11)
TASK = {"handler": "taskq.echo", "payload": {"value": 1}}


class Closed:
    """An API process that asks for keys and logs all, and the keys that it knows."""

    def __init__(self, folder: Path, redis_url: str, **more: str) -> None:
        url = f"sqlite+aiosqlite:///{folder / 'taskq.db'}"
        settings = {
            "TASKQ_DATABASE_URL": url,
            "TASKQ_REDIS_URL": redis_url,
            "TASKQ_AUTH": "required",
            "TASKQ_LOG_LEVEL": "DEBUG",
            **more,
        }
        assert run_server_command(["db", "upgrade"], settings).returncode == 0
        self.keys = KeyStore(url)
        self.log = folder / "api.log"
        self.process = ApiProcess(["api"], settings, self.log, free_port())

    def cpu_seconds(self) -> float:
        """What its threads have used."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((each / "schedstat").read_text().split()[0]) for each in tasks) / 1e9

    def forget_peak(self) -> None:
        """Measure the peak of memory from now on."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_kilobytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])


@pytest.fixture(scope="module")
def closed(
    tmp_path_factory: pytest.TempPathFactory, redis_server: ValkeyServer
) -> Iterator[Closed]:
    with running(Closed(tmp_path_factory.mktemp("closed"), redis_server.url)) as api:
        yield api


@contextmanager
def running(api: Closed) -> Iterator[Closed]:
    """The same, from when it is ready."""
    try:
        api.process.wait_ready()
        yield api
    finally:
        api.process.stop()


def send_large(closed: Closed, head: bytes) -> int:
    """Send eight megabytes behind this head, and return the status."""
    with socket.create_connection(("127.0.0.1", closed.process.port), timeout=60) as opened:
        opened.sendall(head)
        answer = read(opened)
        sent = 0
        while sent < len(BODY):  # the answer came before; a stubborn caller goes on
            try:
                sent += opened.send(BODY[sent : sent + 262_144])
            except ConnectionError:
                break
    return answer.status


@pytest.mark.parametrize("path", ["/tasks", "/tasks/batch"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_large_body_costs_nothing(closed: Closed, path: str, framing: str) -> None:
    fields = {
        "length": f"Content-Length: {len(BODY)}\r\n\r\n",
        "chunked": f"Transfer-Encoding: chunked\r\n\r\n{len(BODY):x}\r\n",
    }
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    sent = (head + fields[framing]).encode()
    assert send_large(closed, sent) == 401  # whatever is made once is made
    costs = []
    for _ in range(5):
        closed.forget_peak()
        before, used = closed.peak_kilobytes(), closed.cpu_seconds()
        assert send_large(closed, sent) == 401
        costs.append((closed.cpu_seconds() - used, closed.peak_kilobytes() - before))
    assert min(cpu for cpu, _ in costs) < CPU_SECONDS, costs
    assert min(memory for _, memory in costs) < MORE_KILOBYTES, costs


def test_no_secret_is_logged_or_answered(closed: Closed) -> None:
    good = closed.keys.make("tasks:run:*")
    wrong, unknown = Token(good.id, "W" * 43), new_token()
    secrets = [good.secret, wrong.secret, unknown.secret, "planted-in-basic", "planted-in-query"]
    with httpx.Client(base_url=closed.process.url, timeout=60, trust_env=False) as client:
        answers = [
            client.request(method, path, headers=headers, json=TASK)
            for headers in (
                *(shown(good), shown(wrong), shown(unknown)),
                {"Authorization": "Basic planted-in-basic"},
                {"Authorization": f"Bearer {good.text}x"},
            )
            for method in ("GET", "POST", "DELETE")
            for path in ("/tasks", "/tasks/batch", "/handlers", "/nowhere", "/keys")
        ]
        answers += [client.get(f"/tasks?key={good.text}&x=planted-in-query")]
    assert {each.status_code for each in answers} >= {401, 403, 404, 405, 422}
    assert all(each.status_code < 500 for each in answers)
    log = closed.log.read_text()
    assert f"key {good.id} opens nothing: the secret is another one" in log
    assert f"key {unknown.id} opens nothing: there is no such key" in log
    seen = log + "".join(str(each.headers) + each.text for each in answers)
    assert [each for each in secrets if each in seen] == []
    arguments = Path(f"/proc/{closed.process.pid}/cmdline").read_text()
    assert not any(each in arguments for each in secrets)


def test_one_text_for_whatever_opens_nothing(closed: Closed) -> None:
    good = closed.keys.make("tasks:read")
    tokens = [Token(good.id, "A" * 43), new_token()]
    with httpx.Client(base_url=closed.process.url, timeout=60, trust_env=False) as client:
        answers = [client.get("/tasks"), *(client.get("/tasks", headers=shown(t)) for t in tokens)]
    varying = ("request_id", "instance")
    texts = {json.dumps({k: v for k, v in a.json().items() if k not in varying}) for a in answers}
    assert len(texts) == 1
    kept = [
        {k: v for k, v in a.headers.items() if k not in ("date", "x-request-id")} for a in answers
    ]
    assert kept[0] == kept[1] == kept[2]


def test_the_time_of_an_answer_does_not_tell_which_ids_there_are(
    tmp_path: Path, redis_url: str
) -> None:
    """As in `tests/integration/api/test_timing.py`, by the clock of a caller; each id once."""
    keys = [new_key("tasks:read") for _ in range(TRIES // 2)]
    closed = Closed(tmp_path, redis_url, TASKQ_MAX_AUTH_FAILURES="100000")
    closed.keys.add(*(key for _, key in keys))
    tries = [(True, new_token(token.id)) for token, _ in keys]
    tries += [(False, new_token()) for _ in keys]
    random.Random(16).shuffle(tries)
    took: dict[bool, list[float]] = {True: [], False: []}
    with running(closed), connection(closed.process.port) as opened, timing.no_garbage():
        for exists, token in tries:
            took[exists].append(seconds(opened, token))
    timing.check_equal(took[True], took[False])


def seconds(opened: socket.socket, token: Token) -> float:
    """How long the 401 takes that a key gets."""
    field = f"Authorization: Bearer {token.text}"
    sent = f"GET /tasks HTTP/1.1\r\nHost: localhost\r\n{field}\r\n\r\n".encode()
    began = time.perf_counter()
    opened.sendall(sent)
    answer = opened.recv(65_536)
    while not answer.endswith(b"}"):
        answer += opened.recv(65_536)
    took = time.perf_counter() - began
    assert answer.startswith(b"HTTP/1.1 401 ")
    return took


def test_refusals_fill_no_log(closed: Closed) -> None:
    good = closed.keys.make("tasks:read")
    wrong = shown(Token(good.id, "A" * 43))
    began = time.monotonic()
    with httpx.Client(base_url=closed.process.url, timeout=60, trust_env=False) as client:
        for _ in range(200):
            assert client.get("/tasks", headers=wrong).status_code == 401
    lines = [line for line in closed.log.read_text().splitlines() if "opens nothing" in line]
    assert 1 <= sum(good.id in line for line in lines) <= 1 + (time.monotonic() - began) // 60
