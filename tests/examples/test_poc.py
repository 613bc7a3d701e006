"""The proof of concept runs as its README says."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.children import Child
from tests.support.ports import free_port
from tests.support.processes import ROOT
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

SCRIPT = ROOT / "examples" / "00_poc" / "run_poc.sh"


@contextmanager
def running_poc(folder: Path, **settings: str) -> Iterator[tuple[httpx.Client, Child]]:
    port = str(free_port())
    kept = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    env = {**kept, "PYTHON": sys.executable, "PORT": port, "TASK_SECONDS": "0.1", **settings}
    script = Child(["bash", SCRIPT], folder / "poc.log", env={**env, "TMPDIR": str(folder)})
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        try:
            yield client, script
        finally:
            script.stop()


def answers(client: httpx.Client, script: Child) -> bool:
    if not script.running:
        raise RuntimeError(script.output())
    try:
        return client.get("/openapi.json").is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("redis", ["embedded", "given"])
def test_a_job_goes_from_the_endpoint_to_the_worker_and_back(redis: str, tmp_path: Path) -> None:
    with ValkeyServer() as server:
        settings = {"REDIS_URL": server.url} if redis == "given" else {}
        with running_poc(tmp_path, **settings) as (client, script):
            wait_until(lambda: answers(client, script), 180, "the endpoint answers", 0.05)
            submitted = client.post("/tasks", params={"name": "you"})
            assert submitted.status_code == 202
            address = f"/tasks/{submitted.json()['id']}"
            wait_until(
                lambda: client.get(address).json()["status"] == "complete",
                60,
                "the job is complete",
                0.05,
                script.output,
            )
            answer = {"status": "complete", "result": "Hello you, from the worker"}
            assert client.get(address).json() == answer
            assert "working for you" in script.output()
            script.signal(signal.SIGTERM)
            assert script.wait(timeout=180) == 0
    with pytest.raises(ProcessLookupError):  # nothing is left of its process group
        os.killpg(script.pid, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["poc.log"]
