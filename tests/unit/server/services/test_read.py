"""Reading tasks."""

import itertools

from taskq_server.domain.requests import TaskFilter
from taskq_server.domain.task import Priority, TaskDetails
from taskq_server.runtime import Runtime
from tests.support.callers import CALLER
from tests.unit.server.factories import make_tags, make_task, rows_of, store


async def test_a_list_pages_through_everything_with_its_tags(runtime: Runtime) -> None:
    ids = await make_tags(runtime.database, "a", "b")
    made = [make_task(title=f"n{n}", priority=Priority(n % 4)) for n in range(25)]
    tagged = {task.id: [ids["a"]] + [ids["b"]] * (n % 2) for n, task in enumerate(made)}
    await store(runtime.database, *made, tagged=tagged)
    found: list[TaskDetails] = []
    wanted = TaskFilter(
        tags=("a", "b"), priorities=(Priority.NORMAL, Priority.URGENT), descending=False
    )
    cursor = None
    for limit in itertools.cycle([5, 2]):
        page = await runtime.read.list(CALLER, wanted, limit=limit, cursor=cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [one.task.title for one in found] == [f"n{n}" for n in range(1, 25, 2)]
    assert {one.tags for one in found} == {("a", "b")}


async def test_a_tag_that_nobody_has_finds_nothing(runtime: Runtime) -> None:
    await store(runtime.database, make_task())
    page = await runtime.read.list(CALLER, TaskFilter(tags=("unheard of",)))
    assert (page.items, page.next_cursor) == ((), None)
    assert await runtime.catalog.tags(CALLER) == []


async def test_ready_says_what_answers(runtime: Runtime) -> None:
    ready = await runtime.readiness.check()
    assert (ready.status, ready.database, ready.redis) == ("ok", "ok", "unavailable")
    assert await rows_of(runtime.database) == []
