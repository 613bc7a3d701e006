"""A database and a Redis that are demoted under load, while their sessions stay open."""

import time
from collections.abc import Iterator

import pytest

from tests.support.calls import HANDLERS, Calls, Load, counted, percentile, private_mariadb
from tests.support.mariadb import MariaDBServer
from tests.support.mysql_proxy import MySQLProxy
from tests.support.redis_proxy import RedisProxy
from tests.support.stack import NewStack
from tests.support.waiting import wait_until

USER = "taskq"
SETTINGS = {"TASKQ_HANDLERS": HANDLERS, "TASKQ_LEASE_SECONDS": "15", "TASKQ_CONCURRENCY": "50"}
ECHO = {"handler": "taskq.echo", "payload": {"value": 1}, "tags": ["load"], "max_retries": 0}


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDBServer]:
    """A MariaDB with an account like one in production."""
    with private_mariadb() as opened:
        opened.sql(f"CREATE USER {USER}@'%'; GRANT ALL ON `taskq_%`.* TO {USER}@'%'")
        yield opened


@pytest.mark.timeout(150)
def test_both_are_demoted_under_load(new_stack: NewStack, server: MariaDBServer) -> None:
    stack = new_stack("mariadb", settings=SETTINGS, mariadb=server, workers=0)
    stack.stop_api()
    assert stack.redis is not None
    with MySQLProxy(server.port) as database, RedisProxy(stack.redis.port) as redis:
        plain = stack.database_url.replace("root@", f"{USER}@")
        through = {
            "TASKQ_DATABASE_URL": database.through(plain),
            "TASKQ_REDIS_URL": redis.through(stack.redis.url),
        }
        stack.start_worker(through)
        stack.start_api(through)
        stack.wait_for_handlers()
        with Calls(stack.api_url) as calls:
            with Load(stack.api_url, ECHO, pause=0.02) as load:
                for demote in (database.demote, redis.demote) * 2:
                    wait_for(load, 100)
                    demote()
                wait_for(load, 100)
                wait_until(lambda: database.demoted == 0, 20, "nobody is left there", 0.1)
                wait_until(lambda: redis.demoted == 0, 20, "nobody is left there", 0.1)
            codes = counted(str(one.status) for one in load.answers)
            load.again()
            done = calls.until_quiet(60, tag="load")
            assert calls.http.get("/readyz").json()["redis"] == "ok"
        stack.stop_worker()
        stack.stop_api()
    assert load.broken == []
    assert counted(one["status"] for one in done) == {"succeeded": len(load.accepted())}
    assert database.refused, "the test made what it is about"
    assert redis.refused
    assert len(load.refused()) <= len(load.answers) / 100, codes
    slow = percentile([one.seconds for one in load.answers], 99)
    print(f"\ndemoted four times under load: answers {codes}, p99 {slow * 1000:.0f} ms")


def wait_for(load: Load, more: int) -> None:
    """Wait until so many more submits are answered."""
    before, began = len(load.answers), time.monotonic()
    wait_until(lambda: len(load.answers) >= before + more, 30, "the load goes on", 0.05)
    wait_until(lambda: time.monotonic() > began + 1.2, 5, "connections may be left again", 0.05)
