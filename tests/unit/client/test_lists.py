"""list: page after page, until the server says that no more follows."""

from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any

from taskq_client._channels import iterate
from taskq_client.models import TaskStatus
from tests.unit.client.support import answer, core, wire_task


def page(*titles: str, cursor: str | None) -> Any:
    return answer(200, {"items": [wire_task(title=t) for t in titles], "next_cursor": cursor})


def test_short_and_empty_pages_are_not_the_end() -> None:
    client, channel = core(
        page("a", "b", cursor="c1"),
        page(cursor="c2"),
        page("c", cursor="c 3/+"),
        page(cursor=None),
    )

    titles = [task.title for task in iterate(client.tasks.list({"status": ["failed"]}))]

    assert titles == ["a", "b", "c"]
    assert channel.asked == [
        "GET /tasks?status=failed",
        "GET /tasks?status=failed&cursor=c1",
        "GET /tasks?status=failed&cursor=c2",
        "GET /tasks?status=failed&cursor=c+3%2F%2B",
    ]


def test_every_filter_is_on_every_page_even_if_it_can_be_read_only_once() -> None:
    def tags() -> Generator[str]:
        yield "a&b"
        yield "é"

    client, channel = core(page(cursor="c1"), page(cursor=None))
    listed = client.tasks.list(
        {
            "status": (TaskStatus.FAILED, "cancelled"),
            "priority": "high",
            "tag": tags(),
            "handler": "reports.build",
            "queue": None,
            "created_after": datetime(2026, 10, 1, tzinfo=UTC),
            "q": "Oct",
            "order": "created_at",
            "limit": 200,
        },
    )

    assert list(iterate(listed)) == []

    query = (
        "status=failed&status=cancelled&priority=high&tag=a%26b&tag=%C3%A9&handler=reports.build"
        "&created_after=2026-10-01T00%3A00%3A00Z&q=Oct&order=created_at&limit=200"
    )
    assert channel.asked == [f"GET /tasks?{query}", f"GET /tasks?{query}&cursor=c1"]


def test_no_filter_is_no_query() -> None:
    client, channel = core(page(cursor="c1"), page(cursor=""))

    assert list(iterate(client.tasks.list({}))) == []
    assert channel.asked == ["GET /tasks", "GET /tasks?cursor=c1"]


def test_a_page_is_fetched_only_when_the_one_before_it_is_used_up() -> None:
    client, channel = core(page("a", "b", cursor="c1"))
    tasks = iterate(client.tasks.list({}))

    assert [next(tasks).title, next(tasks).title] == ["a", "b"]
    tasks.close()
    assert len(channel.requests) == 1
