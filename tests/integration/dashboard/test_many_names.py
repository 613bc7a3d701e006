"""Very many queues: pages stay as small as what one reads, and all of them can be found."""

from collections.abc import Sequence

import httpx
import pytest

from taskq_server.runtime import Runtime
from tests.integration.dashboard.browsing import actions_of, text_of
from tests.integration.dashboard.published import publish
from tests.integration.dashboard.tasks import tags_of

AMOUNT = 520
LARGEST = 600_000
"""Bytes of a page, with the rows for 500 queues."""


@pytest.fixture
async def names(api: httpx.AsyncClient, runtime: Runtime) -> Sequence[str]:
    await publish(runtime, "taskq.echo", "{}")
    names = [f"queue-{number:04}" for number in range(AMOUNT)]
    for first in range(0, AMOUNT, 260):
        tasks = [
            {"handler": "taskq.echo", "payload": {}, "queue": name}
            for name in names[first : first + 260]
        ]
        assert (await api.post("/tasks/batch", json={"items": tasks})).status_code == 201
    return names


async def test_the_page_of_queues(api: httpx.AsyncClient, names: Sequence[str]) -> None:
    page = await api.get("/dashboard/queues")
    assert len(actions_of(page)) == 500
    assert "and 20 more: say how they begin" in text_of(page)
    assert len(page.content) < LARGEST
    found = await api.get("/dashboard/queues", params={"prefix": names[-1]})
    assert actions_of(found) == [f"/dashboard/queues/{names[-1]}/pause"]
    assert "more: say how" not in text_of(found)
    none = await api.get("/dashboard/queues", params={"prefix": "<b>"})
    assert "No queue begins so." in text_of(none)
    table = await api.get("/dashboard/queues/table", params={"prefix": names[-1]})
    assert len(actions_of(table)) == 1


async def test_the_list_of_tasks(api: httpx.AsyncClient, names: Sequence[str]) -> None:
    page = await api.get("/dashboard/tasks")
    assert sum(tag == "option" for tag, _ in tags_of(page)) < 520
    assert not any("data-seen" in attributes for _, attributes in tags_of(page))
    assert f"{AMOUNT} " in text_of(page)  # the counts are of all queues
    one = await api.get("/dashboard/tasks", params={"queue": names[-1]})
    [seen] = [
        attributes["data-seen"] for _, attributes in tags_of(one) if "data-seen" in attributes
    ]
    assert seen is not None
    assert names[-1] in seen
    assert names[0] not in seen
