"""One run of a commit, on real servers: its numbers, and the CPU of each process; Linux only."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import cpu
from benchmarks.against.run import CannotMeasureError, run_once
from benchmarks.servers import Servers
from tests.support.mariadb import MariaDBServer
from tests.support.valkey import ValkeyServer

# Spends half a second in a child that ends, and half a second in one that stays.
_FAMILY = """
import subprocess, sys
spend = 'import time\\nwhile time.process_time() < 0.5: pass\\n'
subprocess.run([sys.executable, '-c', spend], check=True)
stays = spend + 'print("done", flush=True)\\nimport sys; sys.stdin.read()'
child = subprocess.Popen([sys.executable, '-c', stays], stdin=subprocess.PIPE)
sys.stdin.read()
child.communicate()
"""


@pytest.fixture
def servers(mariadb_server: MariaDBServer, redis_server: ValkeyServer) -> Servers:
    found = Servers()
    found.mariadb, found.valkey = mariadb_server, redis_server
    return found


@pytest.mark.parametrize(
    ("scenario", "count", "measures", "processes"),
    [
        (
            "P2",
            200,
            {"tasks/s", "req/s", "p50 ms", "p99 ms"},
            {"api", "worker", "mariadb", "valkey"},
        ),
        ("P3", 1_000, {"tasks/s"}, {"worker", "mariadb", "valkey"}),
        ("P5", 20, {"p50 ms", "p99 ms"}, {"api", "worker", "client", "mariadb", "valkey"}),
    ],
)
def test_a_run_has_its_numbers_and_the_cpu_of_each_process(
    servers: Servers,
    tmp_path: Path,
    scenario: str,
    count: int,
    measures: set[str],
    processes: set[str],
) -> None:
    databases = servers.mariadb.sql("SHOW DATABASES")
    run = run_once(servers, Path(sys.executable), scenario, count, tmp_path)
    assert set(run.numbers) == measures
    assert min(run.numbers.values()) > 0
    assert set(run.cpu) == processes
    # Microseconds for a task: more than a request costs, less than the whole start of a process.
    assert all(1 < spent < 50_000 for spent in run.cpu.values()), run.cpu
    if "client" in processes:  # it has started API and worker, and what they spend is not its own
        assert run.cpu["client"] < run.cpu["api"] + run.cpu["worker"], run.cpu
    assert servers.mariadb.sql("SHOW DATABASES") == databases


def test_a_run_that_fails_says_why(servers: Servers, tmp_path: Path) -> None:
    databases = servers.mariadb.sql("SHOW DATABASES")
    with pytest.raises(CannotMeasureError, match=r"a run of P77 failed(?s:.*)KeyError: 'P77'"):
        run_once(servers, Path(sys.executable), "P77", 1, tmp_path)
    assert servers.mariadb.sql("SHOW DATABASES") == databases


def test_cpu_is_that_of_all_the_family_and_of_those_that_have_ended() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", _FAMILY], stdin=pipe, stdout=pipe) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"done\n"
        spent = cpu.used(parent.pid)
        parent.communicate()
    assert 0.99 <= spent < 2


def test_cpu_of_a_process_that_has_ended_is_an_error() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    with pytest.raises(ProcessLookupError):
        cpu.used(ended.pid)
