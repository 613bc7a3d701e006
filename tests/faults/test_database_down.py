"""The database dies under load, or stays away for a while: nothing is lost, nobody sees a 500."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import pytest

from tests.property.calls import HANDLERS, Calls, Load, counted, private_mariadb, repeats
from tests.support.mariadb import MariaDBServer
from tests.support.stack import NewStack
from tests.support.waiting import wait_until

DOWN_SECONDS = repeats(6, 30)
HELD = 20
BATCH = 500
SETTINGS = {
    "TASKQ_HANDLERS": HANDLERS,
    "TASKQ_LEASE_SECONDS": str(3 * DOWN_SECONDS),  # longer than the database is away
    "TASKQ_CONCURRENCY": "50",
}
ECHO = {"handler": "taskq.echo", "payload": {"value": 1}, "tags": ["load"], "max_retries": 0}


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDBServer]:
    """A MariaDB that writes each commit to the disk, as a production server does."""
    with private_mariadb(flush_log=1) as opened:
        yield opened


@dataclass
class Probes:
    """What `/livez` and `/readyz` answered while the block ran."""

    url: str
    seen: dict[str, set[int]] = field(default_factory=lambda: {"/livez": set(), "/readyz": set()})
    slowest: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Probes":
        self._thread = threading.Thread(target=self._probe)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _probe(self) -> None:
        with httpx.Client(base_url=self.url, timeout=10, trust_env=False) as http:
            while not self._stop.wait(0.2):
                for path, codes in self.seen.items():
                    asked = time.monotonic()
                    codes.add(http.get(path).status_code)
                    self.slowest = max(self.slowest, time.monotonic() - asked)


@pytest.mark.timeout(150 + 5 * DOWN_SECONDS)
def test_a_database_that_is_away_for_a_while_loses_nothing(
    new_stack: NewStack, server: MariaDBServer
) -> None:
    stack = new_stack("mariadb", settings=SETTINGS, mariadb=server)
    with Calls(stack.api_url) as calls, Load(stack.api_url, ECHO, pause=0.05) as load:
        held = hold(calls, DOWN_SECONDS / 2)
        server.kill()
        with Probes(stack.api_url) as probes:
            time.sleep(DOWN_SECONDS)
        server.start()
        back = time.monotonic()
        wait_ready(calls)
        ready = time.monotonic() - back
        time.sleep(1)  # some more load
    check_refusals(load)
    assert probes.seen == {"/livez": {200}, "/readyz": {503}}
    assert probes.slowest <= 2.5
    with Calls(stack.api_url) as calls:
        refused = len(load.refused())
        check_all_are_done(calls, load)
        outcomes = outcomes_of(calls, held)
    print(
        f"\ndatabase down {DOWN_SECONDS} s: {len(load.accepted())} tasks, {refused} refused in at "
        f"most {slowest(load):.2f} s, probes in at most {probes.slowest:.2f} s, "
        f"ready again after {ready:.1f} s"
    )
    assert refused > 0
    assert outcomes == [["succeeded"]] * HELD, "their results were committed when it was back"


@pytest.mark.timeout(150)
def test_a_database_that_is_killed_and_restarted_loses_nothing(
    new_stack: NewStack, server: MariaDBServer
) -> None:
    stack = new_stack("mariadb", settings=SETTINGS, mariadb=server)
    kills = repeats(3, 15)
    with (
        Calls(stack.api_url) as calls,
        Load(stack.api_url, ECHO, pause=0.05) as load,
        ThreadPoolExecutor(1) as other,
    ):
        held = hold(calls, 2)
        batches = []
        for number in range(kills):
            batches.append(other.submit(_submit_batch, calls, number))
            time.sleep(0.1 * (number % 5))  # somewhere on its way
            server.kill()
            server.start()
            wait_ready(calls)
    check_refusals(load)
    codes = counted(str(batch.result()) for batch in batches)
    with Calls(stack.api_url) as calls:
        refused = len(load.refused())
        check_all_are_done(calls, load)
        outcomes = outcomes_of(calls, held)
        again = {_submit_batch(calls, number) for number in range(kills)}
        batched = calls.until_quiet(60, tag="batch")
    print(
        f"\ndatabase killed {kills} times: {len(load.accepted())} tasks, {refused} refused in at "
        f"most {slowest(load):.2f} s, batches in flight {codes}"
    )
    assert outcomes == [["succeeded"]] * HELD
    assert set(codes) <= {"201", "503"}
    assert again <= {200, 201}
    assert counted(one["status"] for one in batched) == {"succeeded": kills * BATCH}


def _submit_batch(calls: Calls, number: int) -> int:
    body = {"items": [{**ECHO, "tags": ["batch"]}] * BATCH}
    key = {"Idempotency-Key": f"batch {number}"}
    return calls.http.post("/tasks/batch", json=body, headers=key).status_code


def wait_ready(calls: Calls) -> None:
    wait_until(lambda: calls.http.get("/readyz").status_code == 200, 30, "the API is ready")


def hold(calls: Calls, seconds: float) -> list[str]:
    ids = calls.submit_many(HELD, "bad.hold", {"seconds": seconds}, tags=["held"], max_retries=0)
    calls.until_running("held", HELD)
    return ids


def outcomes_of(calls: Calls, held: list[str]) -> list[list[str]]:
    calls.until_quiet(60, tag="held")
    return [calls.outcomes(task_id) for task_id in held]


def check_refusals(load: Load) -> None:
    assert load.broken == []
    assert {one.status for one in load.refused()} <= {503}
    assert all(one.retry_after for one in load.refused())
    assert slowest(load) <= 2


def slowest(load: Load) -> float:
    return max((one.seconds for one in load.refused()), default=0.0)


def check_all_are_done(calls: Calls, load: Load) -> None:
    """Each key is one task, which succeeded and was charged nothing."""
    load.again()
    done = calls.until_quiet(60, tag="load")
    assert counted(one["status"] for one in done) == {"succeeded": len(done)}
    assert {one["current_retry_count"] for one in done} == {0}
    keys = {one.key: one.task_id for one in load.accepted()}
    assert set(keys.values()) == {one["id"] for one in done}, "one task a key, and all are there"
