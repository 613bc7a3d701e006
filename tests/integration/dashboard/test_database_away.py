"""Every page and form while the database is away: one clear sentence, and nothing pretends."""

from uuid import uuid4

import httpx
import pytest

from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.runtime import Runtime
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.dashboard.browsing import FROM_PAGE, text_of
from tests.integration.dashboard.tasks import submitted

SENTENCE = "the database is away"
KEY = str(uuid4())
SCHEDULE = {"name": "n", "cron": "0 1 * * *", "handler": "taskq.echo", "payload": '{"value": 1}'}
FORMS = [
    ("/tasks/{id}/cancel", {}),
    ("/tasks/{id}/retry", {}),
    ("/tasks/{id}/delete", {}),
    ("/tasks/{id}/edit", {"title": "x"}),
    ("/tasks/selected/cancel", {"id": "{id}"}),
    ("/tasks/selected/cancel", {"id": "{id}", "confirmed": "yes"}),
    ("/tasks/all/cancel?status=queued", {"key": KEY}),
    (f"/bulk/{KEY}/stop", {}),
    ("/queues/default/pause", {"note": "x"}),
    ("/queues/default/resume", {}),
    ("/new-schedule", SCHEDULE),
    ("/schedules/n/edit", SCHEDULE),
    ("/schedules/n/pause", {}),
    ("/schedules/n/resume", {}),
    ("/schedules/n/fire", {}),
    ("/schedules/n/delete", {}),
    ("/submit/taskq.echo", {"key": uuid4().hex, "json:/payload/value": "1"}),
    ("/keys", {"name": "x", "scopes": "tasks:read"}),
    ("/keys/abcdefghijkl/revoke", {}),
    ("/keys/abcdefghijkl/rotate", {"overlap_seconds": "0"}),
]
PAGES = [
    *("", "/overview/now", "/overview/charts", "/overview/failures", "/tasks", "/tags"),
    *("/tasks/{id}", "/tasks/{id}/parts", "/tasks/{id}/payload.json"),
    *("/tasks/{id}/edit", "/tasks/{id}/events", "/tasks/all/cancel?status=queued", "/queues"),
    *("/queues/table", "/schedules", "/schedules/n", "/workers", "/workers/table", "/keys"),
    *("/bulk", f"/bulk/{KEY}", f"/bulk/{KEY}/progress", "/handlers", "/submit"),
    "/submit/taskq.echo?from={id}",
]


@pytest.fixture
async def task_id(api: httpx.AsyncClient, worker: ScriptedWorker) -> str:
    return await submitted(api)


@pytest.fixture
def away(runtime: Runtime, task_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database, as whoever needs it finds it."""

    async def fail(work: object) -> None:
        raise DatabaseUnavailable(SENTENCE)

    for what in ("read", "write"):
        monkeypatch.setattr(runtime.database, what, fail)


def assert_clear(answer: httpx.Response, path: str) -> None:
    assert answer.status_code == 503, (path, answer.status_code, text_of(answer))
    assert SENTENCE in text_of(answer), path
    assert "Traceback" not in answer.text, path


@pytest.mark.usefixtures("away")
async def test_pages(api: httpx.AsyncClient, task_id: str) -> None:
    for path in PAGES:
        assert_clear(await api.get(f"/dashboard{path.replace('{id}', task_id)}"), path)
    assert (await api.get("/dashboard/new-schedule")).status_code == 200


@pytest.mark.usefixtures("away")
async def test_forms(api: httpx.AsyncClient, task_id: str) -> None:
    for path, fields in FORMS:
        sent = {name: value.replace("{id}", task_id) for name, value in fields.items()}
        answer = await api.post(
            f"/dashboard{path.replace('{id}', task_id)}", data=sent, headers=FROM_PAGE
        )
        assert_clear(answer, path)
