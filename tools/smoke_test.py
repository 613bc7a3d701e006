"""Try the installed distributions as their users do, far from the repository.

    python -I tools/smoke_test.py    # where taskq-server[embedded] and taskq-client are installed

All modules can be imported, both commands say their version, and `taskq-server dev` runs a task for
the client and one for `taskq`, and ends when it is told to. What is tried is all that it imports.
"""

import importlib
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

PACKAGES = {"taskq_client": "taskq", "taskq_server": "taskq-server"}
SCRIPTS = Path(sysconfig.get_path("scripts"))
INSTALLED = Path(sysconfig.get_path("purelib"))
NOT_TO_BE_IMPORTED = (
    "__main__",
    "pytest_plugin",
    "migrations.env",
)  # they do something, or need pytest
SECONDS = 120


def main() -> None:
    """Try everything; an assertion that fails says what did not work."""
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        for package, command in PACKAGES.items():
            print(f"{package}: {import_all(package)} modules")
            said = run(command, "--version")
            assert version(package) in said, said
            print(f"{command} --version: {said.strip()}")
        with dev() as url:
            submit(url)
    print("taskq-server dev: ran two tasks and ended")


def import_all(package: str) -> int:
    """Import each module of an installed package, and return how many there are."""
    root = importlib.import_module(package)
    assert root.__file__ is not None, f"{package} is only a folder"
    assert Path(root.__file__).is_relative_to(INSTALLED), f"not the installed one: {root.__file__}"
    found = [one.name for one in pkgutil.walk_packages(root.__path__, f"{package}.")]
    names = [name for name in found if not name.endswith(NOT_TO_BE_IMPORTED)]
    for name in names:
        importlib.import_module(name)
    return len(names)


def run(command: str, *arguments: str, **variables: str) -> str:
    """Run a command to its end with variables of the environment, and return what it prints."""
    done = subprocess.run(
        [str(SCRIPTS / command), *arguments],
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr}"
    return done.stdout


def environment() -> dict[str, str]:
    """Return the environment without what leads to a repository or a server that is there."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TASKQ_", "PYTHON"))
    }


@contextmanager
def dev() -> Iterator[str]:
    """Run `taskq-server dev`, give its URL, and tell it to end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Path("dev.log").open("w+") as log:
        words = [str(SCRIPTS / "taskq-server"), "dev", "--port", str(port), "--data-dir", "tasks"]
        server = subprocess.Popen(words, env=environment(), stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_until_ready(f"http://127.0.0.1:{port}/readyz", server)
            yield f"http://127.0.0.1:{port}"
            server.send_signal(signal.SIGTERM)
            assert server.wait(SECONDS) == 0, f"`taskq-server dev` ended with {server.returncode}"
        except BaseException:
            log.seek(0)
            print(log.read(), file=sys.stderr)
            raise
        finally:
            server.kill()
            server.wait()


def wait_until_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until an address answers 200."""
    end = time.monotonic() + SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < end:
        assert server.poll() is None, f"`taskq-server dev` ended with {server.returncode}"
        try:
            with opener.open(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer 200 within {SECONDS} s")


def submit(url: str) -> None:
    """Run a task by the client, and another one by the command."""
    client_type = importlib.import_module("taskq_client").TaskqClient
    with client_type(url) as client:
        result = client.run("taskq.echo", {"value": 42}, timeout=SECONDS)
    assert result == 42, result
    printed = run("taskq", "run", "taskq.echo", "value:=42", TASKQ_URL=url)
    assert "42" in printed, printed


if __name__ == "__main__":
    main()
