"""What the client costs: its import, and each call beside a bare httpx call with the same model.

    python benchmarks/client_overhead.py

The server is a socket in another process that always gives the same answer, so that nothing but
the caller is measured. Each figure is the best of many rounds, taken in turns.
"""

import multiprocessing
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import httpx

from taskq_client import Task, TaskqClient

ROUNDS, CALLS, STARTS = 40, 50, 15
BODY = (
    b'{"id":"019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911","handler":"taskq.echo","title":"October",'
    b'"description":null,"status":"succeeded","priority":"high","queue":"default","run_at":null,'
    b'"timeout_seconds":300.0,"max_retries":5,"current_retry_count":0,"backoff_base_seconds":null,'
    b'"backoff_max_seconds":null,"tags":["monthly"],"attempt":1,"progress":null,"worker_id":null,'
    b'"cancel_requested_at":null,"version":3,"created_at":"2026-10-01T08:00:00.000000Z",'
    b'"updated_at":"2026-10-01T08:00:00.020000Z","started_at":"2026-10-01T08:00:00.010000Z",'
    b'"finished_at":"2026-10-01T08:00:00.020000Z","payload":{"value":"hello"},"errors":[],'
    b'"result":"hello"}'
)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


def serve(listener: socket.socket) -> None:
    while True:
        threading.Thread(target=answer, args=listener.accept()[:1], daemon=True).start()


def answer(connection: socket.socket) -> None:
    with connection:
        while connection.recv(65_536):
            connection.sendall(HEAD % len(BODY) + BODY)


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - start) / CALLS


def compare_calls(url: str) -> None:
    with TaskqClient(url) as client, httpx.Client(base_url=url) as bare:

        def get() -> Task:
            answer = bare.get("/tasks/019aa1c6-4f2e")
            answer.raise_for_status()
            return Task.model_validate_json(answer.content)

        turns = [
            (seconds(lambda: client.get("019aa1c6-4f2e")), seconds(get)) for _ in range(ROUNDS)
        ]
    ours, theirs = (min(times) for times in zip(*turns, strict=True))
    print(f"a call: {ours * 1e6:.0f} µs, bare httpx {theirs * 1e6:.0f} µs, {ours / theirs:.2f} x")


def start(code: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begin


def compare_imports() -> None:
    codes = [
        *("pass", "import httpx, pydantic"),
        *("import taskq_client", "from taskq_client import TaskqClient"),
    ]
    found = dict.fromkeys(codes, 60.0)
    for _ in range(STARTS):
        for code in codes:
            found[code] = min(found[code], start(code))
    base = found[codes[1]] - found["pass"]
    for code in codes[1:]:
        own = found[code] - found["pass"]
        print(f"{code}: {own * 1e3:.0f} ms, {own / base:.2f} x")


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = multiprocessing.Process(target=serve, args=(listener,), daemon=True)
        server.start()
        compare_calls(f"http://127.0.0.1:{listener.getsockname()[1]}")
        server.terminate()
    compare_imports()


if __name__ == "__main__":
    main()
