"""Each fault as one call, for the random mix. What a call broke is whole again soon after it."""

import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import cast

from tests.faults.handlers import KILLER
from tests.faults.ledger import Ledger, stopped
from tests.faults.test_doorbells import DROPPED, deliver
from tests.support.calls import descendants
from tests.support.mysql_proxy import NOT_PRIMARY
from tests.support.waiting import wait_until

Injection = Callable[[Ledger, random.Random], None]


def kill_worker(ledger: Ledger, chance: random.Random) -> None:
    """SIGKILL of a whole worker; another one starts."""
    ledger.kill_worker(chance.choice(ledger.stack.workers))
    ledger.heal()


def kill_worker_child(ledger: Ledger, chance: random.Random) -> None:
    """SIGKILL of any process below a worker: the one that runs tasks, or one in quarantine."""
    worker = chance.choice(ledger.stack.workers)
    if below := descendants(worker.pid):
        with ledger.interrupting(worker), suppress(ProcessLookupError):
            os.kill(chance.choice(below), signal.SIGKILL)


def kill_api(ledger: Ledger, chance: random.Random) -> None:
    """SIGKILL of an API process."""
    api = chance.choice(ledger.stack.apis)
    ledger.stack.apis.remove(api)
    api.kill()
    ledger.heal()


def restart_worker(ledger: Ledger, chance: random.Random) -> None:
    """A deploy: SIGTERM."""
    worker = chance.choice(ledger.stack.workers)
    ledger.stack.workers.remove(worker)
    ledger.stack.start_worker()
    with ledger.interrupting(worker):
        worker.stop()


def freeze_worker(ledger: Ledger, chance: random.Random) -> None:
    """SIGSTOP for up to twice the lease."""
    worker = chance.choice(ledger.stack.workers)
    with ledger.interrupting(worker), stopped(worker.pid):
        pause(ledger.lease * chance.uniform(0.5, 2.0))


def flush_redis(ledger: Ledger, chance: random.Random) -> None:
    """FLUSHALL."""
    assert ledger.stack.redis is not None
    ledger.stack.redis.flush()


def stop_redis(ledger: Ledger, chance: random.Random) -> None:
    """Redis is killed and comes back empty."""
    assert ledger.stack.redis is not None
    ledger.stack.redis.kill()
    pause(chance.uniform(0.5, 5.0))
    ledger.stack.redis.start()


def kill_database(ledger: Ledger, chance: random.Random) -> None:
    """MariaDB is killed and comes back; leases may run out meanwhile."""
    assert ledger.stack.mariadb is not None
    with ledger.interrupting(*ledger.stack.workers):
        ledger.stack.mariadb.kill()
        pause(chance.uniform(0.2, 5.0))
        ledger.stack.mariadb.start()


def hang_database(ledger: Ledger, chance: random.Random) -> None:
    """SIGSTOP of MariaDB, for less than a lease and more than most questions wait."""
    assert ledger.stack.mariadb is not None
    with stopped(ledger.stack.mariadb.child.pid):
        pause(ledger.bearable * chance.uniform(0.2, 1.0))


def demote_database(ledger: Ledger, chance: random.Random) -> None:
    """A switch-over behind a proxy: the sessions that are open stay, and may write no more."""
    assert ledger.stack.mysql_proxy is not None
    ledger.stack.mysql_proxy.demote()


def refuse_writes(ledger: Ledger, chance: random.Random) -> None:
    """A switch-over under way: nobody may write for a while."""
    assert ledger.stack.mysql_proxy is not None
    ledger.stack.mysql_proxy.read_only()
    pause(ledger.bearable * chance.uniform(0.05, 0.5))
    ledger.stack.mysql_proxy.heal()


def refuse_ends(ledger: Ledger, chance: random.Random) -> None:
    """A node without a majority: transactions cannot be ended, or not undone, and sessions stay."""
    assert ledger.stack.mysql_proxy is not None
    ledger.stack.mysql_proxy.refuse(chance.choice(REFUSED), NOT_PRIMARY)
    pause(ledger.bearable * chance.uniform(0.05, 0.5))
    ledger.stack.mysql_proxy.heal()


def demote_redis(ledger: Ledger, chance: random.Random) -> None:
    """The same with Redis: the sessions that are open may only read."""
    assert ledger.stack.redis_proxy is not None
    ledger.stack.redis_proxy.demote()


def kill_connections(ledger: Ledger, chance: random.Random) -> None:
    """KILL of every database connection; the answer of a claim may be lost."""
    with ledger.interrupting(*ledger.stack.workers):
        ledger.reader.kill_connections()


def ring_again(ledger: Ledger, chance: random.Random) -> None:
    """Recent tasks are rung for five times more."""
    assert ledger.stack.redis is not None
    recent = [one for one in ledger.callers.submits[-50:] if one.accepted]
    with ledger.stack.redis.client() as client:
        for one in recent:
            for attempt in (1, 2):
                deliver(ledger, client, one.task_id, attempt)


def drop_doorbells(ledger: Ledger, chance: random.Random) -> None:
    """A fifth of the bells in Redis are gone."""
    assert ledger.stack.redis is not None
    with ledger.stack.redis.client() as client:
        for bell in cast(list[str], client.zrange(ledger.queue, 0, -1)):
            if chance.random() < DROPPED:
                client.zrem(ledger.queue, bell)


def die_in_hooks(ledger: Ledger, chance: random.Random) -> None:
    """A task whose hooks kill the process that first runs them."""
    ledger.expect_killing_hooks(2)
    run_at = datetime.now(UTC) + timedelta(seconds=0.5)
    ledger.callers.submit(KILLER, max_retries=1, run_at=run_at.isoformat())


REFUSED = ("commit", "commit|rollback", "insert|rollback", "")
"""The beginnings of statements; a half transaction is left by a refusal in its middle."""

INJECTIONS: Mapping[str, Injection] = {
    "SIGKILL of a worker": kill_worker,
    "SIGKILL of a worker's child": kill_worker_child,
    "SIGKILL of an API": kill_api,
    "SIGTERM of a worker": restart_worker,
    "SIGSTOP of a worker": freeze_worker,
    "FLUSHALL": flush_redis,
    "Redis killed": stop_redis,
    "MariaDB killed": kill_database,
    "MariaDB hangs": hang_database,
    "MariaDB demoted": demote_database,
    "MariaDB read-only": refuse_writes,
    "COMMIT or ROLLBACK refused": refuse_ends,
    "Redis demoted": demote_redis,
    "connections killed": kill_connections,
    "doorbells 5 times": ring_again,
    "doorbells dropped": drop_doorbells,
    "SIGKILL in a hook": die_in_hooks,
}


def pause(seconds: float) -> None:
    """Let a fault last."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, seconds + 10, "the fault ends")
