"""What the tests of metrics put into the database, and what a page says of it."""

import json
from datetime import timedelta
from uuid import uuid4

import httpx

from taskq_server.crud import workers
from taskq_server.domain.worker import WorkerRow
from taskq_server.runtime import Runtime
from tests.support.metrics import Samples, parsed

Values = dict[tuple[str, ...], float]


async def listen(runtime: Runtime, *queues: str, is_gone: bool = False) -> None:
    """Store a worker that listens to these queues."""
    now = runtime.clock()
    row = WorkerRow(
        id=uuid4(),
        name="host:1",
        queues=json.dumps(queues),
        handlers="[]",
        namespaces=None,
        concurrency=1,
        started_at=now,
        heartbeat_at=now,
        lease_until=now + timedelta(seconds=-60 if is_gone else 600),
    )
    await runtime.database.write(lambda connection: workers.register(connection, row))


async def scrape(api: httpx.AsyncClient) -> dict[str, Samples]:
    """Return the samples of `GET /metrics` by name."""
    response = await api.get("/metrics")
    assert response.status_code == 200, response.text
    return parsed(response.text)


def values(page: dict[str, Samples], name: str, *labels: str, **only: str) -> Values:
    """Return the values of a name by some of its labels; `only` chooses among the others."""
    found: Values = {}
    for sample, value in page.get(name, {}).items():
        of = dict(sample)
        if all(of[label] == wanted for label, wanted in only.items()):
            key = tuple(of[label] for label in labels)
            found[key] = found.get(key, 0) + value
    return found


def labels(page: dict[str, Samples], name: str, label: str) -> set[str]:
    """Return the values of one label."""
    return {dict(sample)[label] for sample in page.get(name, {})}
