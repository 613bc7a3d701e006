"""What callers may ask for."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from taskq_server.schemas.query import TaskQuery
from taskq_server.schemas.task import TaskBatch, TaskCreate, TaskUpdate, WaitRequest

ID = "0198c0de-0000-7000-8000-000000000001"


def test_a_handler_is_all_that_a_task_needs() -> None:
    new = TaskCreate.model_validate({"handler": "a"})
    assert (new.payload, new.priority, new.queue, new.tags) == ({}, None, None, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"handler": "reports.build:v2/x-1_y"},
        {"title": "x" * 255},
        {"title": "Ünïcode ☃"},
        {"description": "lines\nand\ttabs"},
        {"tags": ["x" * 64] * 32},
        {"tags": ["with space", "☃"]},
        {"run_at": "2026-10-05T12:00:00Z"},
        {"run_at": "2026-10-05T12:00:00.123456+05:30"},
        {"delay_seconds": 0},
        {"timeout_seconds": 86_400},
        {"timeout_seconds": 0.001},
        {"max_retries": 100},
        {"max_retries": 0},
        {"backoff_base_seconds": 1, "backoff_max_seconds": 0.5},
    ],
)
def test_what_a_task_may_say(fields: dict[str, Any]) -> None:
    TaskCreate.model_validate({"handler": "a", **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"handler": ""},
        {"handler": "has space"},
        {"handler": "x" * 129},
        {"handler": "line\n"},
        {"handler": "é"},
        {"handler": None},
        {"payload": []},
        {"payload": None},
        {"title": ""},
        {"title": " edge"},
        {"title": "edge "},
        {"title": "nul\0"},
        {"title": "line\nbreak"},
        {"title": "x" * 256},
        {"title": "trailing\n"},
        {"description": "x" * 10_001},
        {"priority": "HIGH"},
        {"priority": 2},
        {"tags": "a"},
        {"tags": [""]},
        {"tags": [" a"]},
        {"tags": ["x" * 65]},
        {"tags": ["a"] * 33},
        {"queue": "q q"},
        {"queue": "x" * 65},
        {"run_at": "2026-10-05T12:00:00"},
        {"run_at": 1_800_000_000},
        {"run_at": "1800000000"},
        {"run_at": "1969-12-31T23:59:59Z"},
        {"run_at": "9000-01-01T00:00:00Z"},
        {"run_at": "2026-10-05T12:00:00Z", "delay_seconds": 1},
        {"delay_seconds": -1},
        {"delay_seconds": "1"},
        {"timeout_seconds": 0},
        {"timeout_seconds": 86_401},
        {"timeout_seconds": "5"},
        {"timeout_seconds": True},
        {"timeout_seconds": float("nan")},
        {"max_retries": 101},
        {"max_retries": -1},
        {"max_retries": 1.0},
        {"max_retries": True},
        {"backoff_base_seconds": 0},
        {"status": "queued"},
    ],
)
def test_what_a_task_may_not_say(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TaskCreate.model_validate({"handler": "a", **fields})


STEERING = [
    *map(chr, (*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0x7F, 0xA0))),
    *map(chr, (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))),
]


@pytest.mark.parametrize("model", [TaskCreate, TaskUpdate, TaskBatch])
@pytest.mark.parametrize("where", ["a{}b", "{}b", "a{}", "{}"])
def test_nothing_that_steers_a_terminal_or_turns_the_writing(model: Any, where: str) -> None:
    for letter in STEERING:
        text = where.format(letter)
        for fields in ({"title": text}, {"description": text}, {"tags": [text]}):
            with pytest.raises(ValidationError):
                read_as(model, fields)
    for letter in "\n\r\t":
        text = where.format(letter)
        read_as(model, {"description": text})
        for fields in ({"title": text}, {"tags": [text]}):
            with pytest.raises(ValidationError):
                read_as(model, fields)


def read_as(model: Any, fields: dict[str, Any]) -> None:
    if model is TaskBatch:
        fields = {"items": [{"handler": "a"}, {"handler": "a", **fields}]}
    elif model is TaskCreate:
        fields = {"handler": "a", **fields}
    model.model_validate(fields)


@pytest.mark.parametrize(
    "text", ["Ünïcode ☃", "שלום", "مرحبا", "नमस्ते", "👩\u200d👩\u200d👧", "a\u00a0b", "x\u00ady"]
)
def test_every_language_can_be_written(text: str) -> None:
    read_as(TaskCreate, {"title": text, "description": text, "tags": [text]})


def test_times_are_read_as_utc() -> None:
    new = TaskCreate.model_validate({"handler": "a", "run_at": "2026-10-05T14:00:00+02:00"})
    assert new.run_at == datetime(2026, 10, 5, 12, tzinfo=UTC)
    assert new.run_at.tzinfo is UTC


@pytest.mark.parametrize("number", [0, 1_001])
def test_a_batch_has_1_to_1000_items(number: int) -> None:
    with pytest.raises(ValidationError):
        TaskBatch.model_validate({"items": [{"handler": "a"}] * number})
    assert len(TaskBatch.model_validate({"items": [{"handler": "a"}] * 1_000}).items) == 1_000


def test_an_update_knows_absent_from_null() -> None:
    assert TaskUpdate.model_validate({}).model_fields_set == set()
    assert TaskUpdate.model_validate({"run_at": None}).model_fields_set == {"run_at"}


@pytest.mark.parametrize("fields", [{"handler": "a"}, {"payload": {}}, {"status": "failed"}])
def test_an_update_refuses_what_cannot_change(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TaskUpdate.model_validate(fields)


@pytest.mark.parametrize("ids", [[], [ID] * 1_001, [ID.replace("-", "")], ["x"], [1], ID])
def test_a_wait_names_1_to_1000_ids(ids: Any) -> None:
    with pytest.raises(ValidationError):
        WaitRequest.model_validate({"ids": ids})
    WaitRequest.model_validate({"ids": [ID] * 1_000, "timeout_seconds": 60})


@pytest.mark.parametrize("seconds", [-1, 61, "5", float("nan")])
def test_a_wait_is_bounded(seconds: Any) -> None:
    with pytest.raises(ValidationError):
        WaitRequest.model_validate({"ids": [ID], "timeout_seconds": seconds})


@pytest.mark.parametrize(
    "fields",
    [
        {"limit": 0},
        {"limit": 201},
        {"limit": "1_0"},
        {"limit": "+5"},
        {"limit": " 5"},
        {"order": "title"},
        {"status": ["done"]},
        {"priority": ["HIGH"]},
        {"tag": ["a"] * 9},
        {"q": ""},
        *({"id": text} for text in ("", "-", "01A", "01a-", "01a0f75a-85e0f", "x", f"{ID}0")),
        {"cursor": ""},
        {"page": 2},
        {"created_after": "yesterday"},
    ],
)
def test_a_query_refuses_what_it_does_not_know(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TaskQuery.model_validate(fields)
    assert TaskQuery.model_validate({"limit": "200"}).limit == 200


@pytest.mark.parametrize("length", range(1, 37))
def test_an_id_may_be_shortened_anywhere(length: int) -> None:
    prefix = str(ID)[:length]
    assert TaskQuery.model_validate({"id": prefix}).as_filter().id_prefix == prefix
