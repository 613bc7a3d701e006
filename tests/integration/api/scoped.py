"""An API that asks for keys, and tasks that keys have submitted."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx

from taskq_server.domain.caller import Caller
from taskq_server.domain.keys import Token
from taskq_server.domain.requests import NewTask, TaskChanges
from taskq_server.runtime import Runtime
from tests.integration.api.keys import make_key, shown
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.callers import CALLER

SECRET = "what nobody else shall read"
ECHO: dict[str, object] = {"handler": "taskq.echo", "payload": {"value": SECRET}}


async def header(runtime: Runtime, *scopes: str) -> dict[str, str]:
    """Make a key with some scopes, and return the header that shows it."""
    return shown(await make_key(runtime, *scopes))


async def publish_in(runtime: Runtime, namespace: str) -> None:
    """Publish the built-in handlers in a namespace, as one of its workers would."""
    settings = runtime.settings.model_copy(update={"namespace": namespace})
    await ScriptedWorker(replace(runtime, settings=settings)).publish()


async def task_of(runtime: Runtime, key: Token | None, namespace: str = "default") -> str:
    """Store a task as if a key had submitted it that may, in a namespace that has handlers."""
    caller = Caller(namespace, key_id=None if key is None else key.id)
    new = NewTask(handler="taskq.echo", payload={"value": SECRET}, tags=("mine",))
    return str((await runtime.submit.one(caller, new)).details.task.id)


async def make_failed(worker: ScriptedWorker, task_id: str) -> None:
    """Let a task fail for good."""
    await worker.fail(await worker.claim(task_id), fatal=True)


async def make_succeeded(runtime: Runtime, worker: ScriptedWorker, task_id: str) -> None:
    """Let the first attempt of a task fail, and the second one succeed."""
    await worker.fail(await worker.claim(task_id))
    now = TaskChanges(given=frozenset({"run_at"}))
    await runtime.change.update(CALLER, UUID(task_id), now)
    await worker.succeed(await worker.claim(task_id), SECRET)


def assert_in_full(task: dict[str, Any]) -> None:
    """Check that a task of this module comes with its contents."""
    assert task["payload"] == {"value": SECRET}
    assert bool(task["errors"]) == (task["attempt"] > 0)
    assert task["result"] == (SECRET if task["status"] == "succeeded" else None)


def assert_outline(response: httpx.Response) -> dict[str, Any]:
    """Check that an answer has a task without its contents, and return it."""
    task: dict[str, Any] = response.json()
    assert (task["payload"], task["result"], task["errors"]) == ({}, None, [])
    assert SECRET not in response.text
    assert "no luck" not in response.text
    assert task["tags"] == ["mine"]
    return task
