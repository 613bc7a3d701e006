"""Real `taskq-server` processes."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import httpx

from tests.support.children import Child
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a server process: these settings, and no other TASKQ_ ones.

    The repository root is importable there, so that `tests.support.handlers` can be loaded.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TASKQ_")}
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1", **settings}


class ServerProcess(Child):
    """`python -m taskq_server ARGUMENTS...` as a process; what it prints goes to `log`.

    Args:
        arguments: For example `["worker"]`.
        settings: TASKQ_ environment variables.
        log: The file for its output.
    """

    def __init__(self, arguments: list[str], settings: Mapping[str, str], log: Path) -> None:
        self.name = f"taskq-server {arguments[0]}"
        # In the folder of its log: whatever it writes to the current folder goes away with it.
        super().__init__(
            [sys.executable, "-m", "taskq_server", *arguments],
            log,
            env=environment(settings),
            cwd=log.parent,
        )


class ApiProcess(ServerProcess):
    """A `taskq-server api` or `taskq-server dev` process."""

    def __init__(
        self, arguments: list[str], settings: Mapping[str, str], log: Path, port: int
    ) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        super().__init__([*arguments, "--host", "127.0.0.1", "--port", str(port)], settings, log)

    def wait_ready(self, timeout: float = 180) -> None:
        """Wait until `GET /readyz` answers 200.

        Raises:
            RuntimeError: The process has ended; the message has its output.
            TimeoutError: It is not ready in time; the message has its output.
        """
        with httpx.Client(base_url=self.url, timeout=2, trust_env=False) as client:
            wait_until(
                lambda: self._ready(client), timeout, f"{self.url}/readyz", 0.05, self.output
            )

    def _ready(self, client: httpx.Client) -> bool:
        if not self.running:
            raise RuntimeError(f"{self.name} ended with {self.exit_code}\n{self.output()}")
        try:
            return client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False


def run_server_command(
    arguments: list[str],
    settings: Mapping[str, str],
    timeout: float = 180,
    *,
    stdout: int | IO[str] = subprocess.PIPE,
) -> subprocess.CompletedProcess[str]:
    """Run a `taskq-server` command to its end, for example `["db", "upgrade"]`."""
    return subprocess.run(
        [sys.executable, "-m", "taskq_server", *arguments],
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=timeout,
        check=False,
    )
