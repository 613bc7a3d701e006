"""Real handlers in the fake server behave as they do in a worker behind the real one."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from taskq_client import AsyncTaskqClient, TaskqClient, ValidationFailed
from taskq_client.testing import FakeTaskq
from taskq_server.domain.errors import ConfigurationError, StartUpFailed
from taskq_server.testing import LoadedHandlers, handlers
from tests.support import shop
from tests.support.stack import NewStack

pytestmark = pytest.mark.timeout(60)

LINES = [{"article": "x", "pieces": 2}, {"article": "y"}]


@pytest.fixture
def loaded() -> Iterator[LoadedHandlers]:
    shop.told.clear()
    with handlers("tests.support.shop") as opened:
        yield opened


@pytest.fixture
def client(taskq: FakeTaskq, loaded: LoadedHandlers) -> TaskqClient:
    taskq.load(loaded)
    return taskq.client()


def test_the_real_handler_runs_in_the_time_of_the_fake(
    client: TaskqClient, taskq: FakeTaskq
) -> None:
    began = taskq.now
    task = client.submit("shop.bill", {"order": 7, "lines": LINES, "failures": 1}).wait()
    assert task.result == {"order": 7, "total": 3, "currency": "EUR"}
    assert task.errors[0].type == "OSError"
    assert "in bill" in (task.errors[0].traceback or "")
    assert 100 <= (taskq.now - began).total_seconds() < 130
    assert task.progress is not None
    assert (task.progress.current, task.progress.message) == (2, "printing")
    assert shop.told == ["open", "again: no paper"]


def test_a_wrong_key_is_refused_before_anything_is_stored(
    client: TaskqClient, taskq: FakeTaskq
) -> None:
    with pytest.raises(ValidationFailed, match=r"shop\.bill"):
        client.submit("shop.bill", {"ordr": 7, "lines": LINES})
    assert taskq.submitted == []


async def test_an_async_application_is_tested_as_well(
    taskq: FakeTaskq, loaded: LoadedHandlers
) -> None:
    taskq.load(loaded)
    async with AsyncTaskqClient(transport=taskq) as client:
        bill = await client.run("shop.bill", {"order": 7, "lines": LINES}, returns=shop.Bill)
        assert bill == shop.Bill(order=7, total=3, currency="EUR")


def test_hooks_run_as_in_a_worker_unless_there_is_a_state(taskq: FakeTaskq) -> None:
    shop.told.clear()
    with handlers(shop) as opened:
        taskq.load(opened)
        assert taskq.client().submit("shop.never", {"fatal": True}).wait().attempt == 1
    assert shop.told == ["open", "no: sold out", "closed"]
    shop.told.clear()
    with handlers(shop, state={"currency": "CHF"}):
        pass
    assert shop.told == []


def test_a_handler_that_waits_for_another_one_hangs_nobody(taskq: FakeTaskq) -> None:
    client = taskq.client()
    with handlers(shop, state={"client": client}) as opened:
        taskq.load(opened)
        assert client.run("shop.ask") == 2


def test_what_cannot_be_loaded_is_said_in_a_sentence(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError, match="cannot import the handlers in nowhere"):
        handlers("nowhere")
    (tmp_path / "broken_shop.py").write_text(
        "from taskq_server import on_startup\n"
        "@on_startup\n"
        "def fail(state):\n"
        "    raise OSError('no till')\n"
    )
    with pytest.raises(StartUpFailed, match="no till"):
        handlers("broken_shop")
    monkeypatch.delitem(sys.modules, "broken_shop")


TASKS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("shop.bill", {"order": 7, "lines": LINES}, {}),
    ("shop.bill", {"order": 7, "lines": LINES, "failures": 1}, {"backoff_max_seconds": 0.1}),
    ("shop.bill", {"order": 7, "lines": LINES, "failures": 9}, {"backoff_max_seconds": 0.1}),
    ("shop.bill", {"order": "7", "lines": []}, {}),
    ("shop.bill", {"order": 7, "lines": [{"article": "x", "pieces": 0}, {"pieces": "many"}]}, {}),
    ("shop.bill", {"ordr": 7}, {}),
    ("shop.later", {"seconds": 0.1}, {}),
    ("shop.later", {"seconds": 0.1}, {"max_retries": 0}),
    ("shop.never", {"fatal": True}, {}),
    ("shop.never", {"fatal": False}, {}),
    ("shop.never", {"fatal": "perhaps"}, {}),
    ("shop.slow", {}, {}),
    ("shop.order", {"number": 1}, {"backoff_max_seconds": 0.1}),
    ("shop.order", {"number": 1, "child": "shop.nothing"}, {}),
    ("shop.order", {"number": 1, "child": "shop.later"}, {}),
]


def seen(client: TaskqClient) -> list[Any]:
    """What a caller sees of the tasks above, without ids, times and lines of tracebacks."""
    found: list[Any] = []
    for handler, payload, options in TASKS:
        try:
            task = client.submit(handler, payload, **options).wait(timeout=30)  # type: ignore[arg-type]
        except ValidationFailed as refused:
            found.append([(one.pointer, one.code, one.detail) for one in refused.errors])
            continue
        is_id = handler == "shop.order" and len(str(task.result)) == 36
        found.append(
            [
                (handler, task.status, "an id" if is_id else task.result, task.progress),
                (task.max_retries, task.timeout_seconds, task.attempt, task.current_retry_count),
                *((one.outcome, one.type, one.message, bool(one.traceback)) for one in task.errors),
            ]
        )
    children = list(client.list(handler="shop.bill", priority="high"))
    found.append([(child.tags, child.title, child.queue) for child in children])
    found.append(
        [
            (one.name, one.description, one.payload_schema, one.max_retries, one.timeout_seconds)
            for one in client.handlers()
            if one.name.startswith("shop.")
        ]
    )
    return found


def test_a_worker_behind_the_real_server_does_the_same(
    new_stack: NewStack, taskq: FakeTaskq, loaded: LoadedHandlers
) -> None:
    stack = new_stack("sqlite", settings={"TASKQ_HANDLERS": "tests.support.shop"})
    taskq.load(loaded)
    with TaskqClient(stack.api_url) as real:
        assert seen(taskq.client()) == seen(real)
