"""A machine with other things to do: `TASKQ_TEST_BUSY=10` runs ten busy processes beside the tests.

They end with the process that has started them, however that ends.
"""

import os
import subprocess
import sys

import pytest

VARIABLE = "TASKQ_TEST_BUSY"
MOST = 1_000

_BUSY = """
import os, sys
while os.getppid() == int(sys.argv[1]):
    sum(range(100_000))
"""

_processes = pytest.StashKey["list[subprocess.Popen[bytes]]"]()


def pytest_configure(config: pytest.Config) -> None:
    """Start them, once for all workers of pytest-xdist."""
    config.stash[_processes] = []
    said = os.environ.pop(VARIABLE, "")  # taskq would say that this variable means nothing
    if not hasattr(config, "workerinput"):
        for _ in range(_how_many(said)):
            config.stash[_processes].append(_start())


def pytest_unconfigure(config: pytest.Config) -> None:
    """End them."""
    for process in config.stash[_processes]:
        process.kill()
    for process in config.stash[_processes]:
        process.wait()


def _how_many(said: str) -> int:
    if said == "":
        return 0
    if not (said.isascii() and said.isdigit() and len(said) <= 9 and int(said) <= MOST):
        raise pytest.UsageError(f"{VARIABLE}: {said!r} is not a number of processes: 0 to {MOST}")
    return int(said)


def _start() -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-I", "-S", "-c", _BUSY, str(os.getpid())]
    # Ctrl-C is for pytest, which ends them.
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
