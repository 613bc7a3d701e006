"""The opaque cursor."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskq_server.domain.errors import InvalidCursor
from taskq_server.schemas.query import TaskQuery
from taskq_server.services import cursor

ID = UUID("0198c0de-0000-7000-8000-000000000001")


@given(st.uuids(), st.lists(st.sampled_from(["queued", "failed"]), unique=True), st.booleans())
def test_what_is_written_can_be_read(after: UUID, status: list[str], oldest: bool) -> None:
    order = "created_at" if oldest else "-created_at"
    query = TaskQuery.model_validate({"status": status, "order": order})
    text = cursor.write(after, query)
    assert cursor.read(text, query) == after
    assert text.isascii()
    assert not set(text) & set("+/=& ?")
    assert len(text) <= 200


def test_the_limit_may_change_between_pages() -> None:
    text = cursor.write(ID, TaskQuery(limit=10))
    assert cursor.read(text, TaskQuery(limit=20)) == ID
    assert cursor.read(text, TaskQuery(limit=20, cursor=text)) == ID


@pytest.mark.parametrize(
    "other",
    [
        {"status": ["failed"]},
        {"priority": ["low"]},
        {"tag": ["a"]},
        {"handler": "h"},
        {"queue": "q"},
        {"created_after": "2026-01-01T00:00:00Z"},
        {"created_before": "2026-01-01T00:00:00Z"},
        {"q": "x"},
        {"order": "created_at"},
    ],
)
def test_a_cursor_is_bound_to_its_filters(other: dict[str, Any]) -> None:
    query = TaskQuery.model_validate(other)
    with pytest.raises(InvalidCursor):
        cursor.read(cursor.write(ID, TaskQuery()), query)
    with pytest.raises(InvalidCursor):
        cursor.read(cursor.write(ID, query), TaskQuery())


GOOD = cursor.write(ID, TaskQuery())


@pytest.mark.parametrize(
    "text",
    ["", "x", "AAAA", "é", "☃" * 30, "!" * 30, "\0", GOOD[:-1], GOOD + "A", GOOD + "==", "!" + GOOD,
     GOOD[:10] + "\n" + GOOD[10:], "A" * len(GOOD), str(ID), GOOD.swapcase()],
)  # fmt: skip
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        cursor.read(text, TaskQuery())


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        after = cursor.read(text, TaskQuery())
    except InvalidCursor:
        return
    assert cursor.write(after, TaskQuery()) == text
