"""The opaque cursor."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskq_server.domain.errors import InvalidCursor
from taskq_server.domain.requests import TaskFilter
from taskq_server.domain.task import Priority, Status
from taskq_server.services import cursor

ID = UUID("0198c0de-0000-7000-8000-000000000001")


@given(
    st.uuids(),
    st.lists(st.sampled_from([Status.QUEUED, Status.FAILED]), unique=True),
    st.booleans(),
)
def test_what_is_written_can_be_read(after: UUID, status: list[Status], oldest: bool) -> None:
    query = TaskFilter(statuses=tuple(status), descending=not oldest)
    text = cursor.write(after, query)
    assert cursor.read(text, query) == after
    assert text.isascii()
    assert not set(text) & set("+/=& ?")
    assert len(text) <= 200


@pytest.mark.parametrize(
    "other",
    [
        {"statuses": (Status.FAILED,)},
        {"priorities": (Priority.LOW,)},
        {"tags": ("a",)},
        {"handlers": ("h",)},
        {"queues": ("q",)},
        {"error_type": "ValueError"},
        {"attempt_min": 2},
        {"finished_after": datetime(2026, 1, 1, tzinfo=UTC)},
        {"finished_before": datetime(2026, 1, 1, tzinfo=UTC)},
        {"created_after": datetime(2026, 1, 1, tzinfo=UTC)},
        {"created_before": datetime(2026, 1, 1, tzinfo=UTC)},
        {"title_prefix": "x"},
        {"id_prefix": "01a"},
        {"descending": False},
    ],
)
def test_a_cursor_is_bound_to_its_filters(other: dict[str, Any]) -> None:
    query = TaskFilter(**other)
    with pytest.raises(InvalidCursor):
        cursor.read(cursor.write(ID, TaskFilter()), query)
    with pytest.raises(InvalidCursor):
        cursor.read(cursor.write(ID, query), TaskFilter())


GOOD = cursor.write(ID, TaskFilter())


@pytest.mark.parametrize(
    "text",
    ["", "x", "AAAA", "é", "☃" * 30, "!" * 30, "\0", GOOD[:-1], GOOD + "A", GOOD + "==", "!" + GOOD,
     GOOD[:10] + "\n" + GOOD[10:], "A" * len(GOOD), str(ID), GOOD.swapcase()],
)  # fmt: skip
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        cursor.read(text, TaskFilter())


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        after = cursor.read(text, TaskFilter())
    except InvalidCursor:
        return
    assert cursor.write(after, TaskFilter()) == text
