"""Handlers know which schedule has fired their task, wherever they run."""

from datetime import datetime

import httpx
import pytest

from taskq_server.core.config import Settings
from taskq_server.domain.task import Fire
from taskq_server.handlers.context import State
from taskq_server.worker.attempts.result import Succeeded
from taskq_server.worker.attempts.running import RunningAttempt
from taskq_server.worker.quarantine.pool import QuarantinePool
from tests.integration.engine.calls import get, submit
from tests.support.stack import Kind, NewStack, Stack
from tests.unit.server.factories import NOW, running
from tests.unit.server.worker.attempts import Children

HANDLERS = {"TASKQ_HANDLERS": "tests.support.fired", "TASKQ_PROCESSES": "1"}


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def stack(request: pytest.FixtureRequest, new_module_stack: NewStack) -> Stack:
    kind: Kind = request.param
    return new_module_stack(kind, settings=HANDLERS)


@pytest.mark.parametrize("handler", ["fired.loop", "fired.thread", "fired.process"])
def test_a_handler_knows_it(stack: Stack, handler: str) -> None:
    body = {"cron": "0 3 * * *", "task": {"handler": handler}}
    with httpx.Client(base_url=stack.api_url, timeout=180, trust_env=False) as client:
        assert client.put(f"/schedules/{handler}", json=body).status_code == 201
        fired = client.post(f"/schedules/{handler}/fire").raise_for_status().json()
    task = get(stack, fired["id"], wait=60)
    assert task["status"] == "succeeded", task
    name, fire_at = task["result"]
    assert name == handler
    assert datetime.fromisoformat(fire_at) == datetime.fromisoformat(fired["schedule"]["fire_at"])
    assert fire_at.endswith("+00:00"), "aware UTC"
    assert get(stack, submit(stack, handler, {}), wait=60)["result"] is None


async def test_a_quarantined_handler_knows_it() -> None:
    settings = Settings(handlers=("tests.support.fired",), quarantine_processes=1)
    pool = QuarantinePool(settings)
    task = running(handler="fired.loop", payload="{}", lost_count=1, attempt=2)
    attempt = RunningAttempt(task, State(), Children(), Fire("nightly", NOW))
    ended = await pool.run(attempt)
    await pool.close()
    assert isinstance(ended, Succeeded), ended
    assert ended.result == f'["nightly","{NOW.isoformat()}"]'
