"""What the tests of a database that is away share: what is held meanwhile, and what is checked."""

import threading
import time
from dataclasses import dataclass, field

import httpx

from tests.support.calls import HANDLERS, Calls, Load, counted, repeats
from tests.support.waiting import wait_until

DOWN_SECONDS = repeats(6, 30)
HELD = 20
SETTINGS = {
    "TASKQ_HANDLERS": HANDLERS,
    "TASKQ_LEASE_SECONDS": str(3 * DOWN_SECONDS),  # longer than the database is away
    "TASKQ_CONCURRENCY": "50",
}
ECHO = {"handler": "taskq.echo", "payload": {"value": 1}, "tags": ["load"], "max_retries": 0}


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
