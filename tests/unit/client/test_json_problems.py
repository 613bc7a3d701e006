"""What of a payload cannot be sent is named by its path."""

import math
from collections import UserDict
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest

from taskq_client._channels import finish, iterate
from taskq_client.errors import InvalidRequest
from tests.unit.client.support import answer, core, wire_task

NOW = datetime.now(UTC)
ENDLESS: dict[str, Any] = {}
ENDLESS["self"] = ENDLESS
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (
            {"items": [{}, {}, {}, {"when": NOW}]},
            "payload.items[3].when: datetime is not a JSON type",
        ),
        ({"a": (1, {2})}, "payload.a[1]: set is not a JSON type"),
        ({"a": {"b c": b"x"}}, "payload.a['b c']: bytes is not a JSON type"),
        ({"a": {"": b"x"}}, "payload.a['']: bytes is not a JSON type"),
        ({"a": {1: {"b": Path()}}}, "payload.a[1].b: PosixPath is not a JSON type"),
        ({"ok": 1, "city": {"城": object()}}, "payload.city.城: object is not a JSON type"),
        ({"x": [1.0, math.nan]}, "payload.x[1]: nan is not a JSON number"),
        ({"x": {"y": -math.inf}}, "payload.x.y: -inf is not a JSON number"),
        ({"x": ["\ud800"]}, "payload.x[0]: text that is not valid Unicode"),
        ({"x": {"\ud800": 1}}, "payload.x: a key is text that is not valid Unicode"),
        ({"x": {(1, 2): 1}}, "payload.x: tuple is not a JSON type for a key"),
        ({"x": {UUID(int=1): 1}}, "payload.x: UUID is not a JSON type for a key"),
        ({"x": MappingProxyType({"y": UserDict(z=NOW)})}, "payload.x.y.z: datetime is not a JSON"),
        ({"x": ENDLESS}, "payload.x.self.self.self.self.self"),
        ({"x": [DEEP]}, "payload.x[0][0][0][0][0]"),
        ({1, 2}, "payload: set is not a JSON type"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_place_is_named(payload: Any, problem: str) -> None:
    client, channel = core()

    with pytest.raises(InvalidRequest) as caught:
        finish(client.tasks.submit("h", payload, None, {}))
    said = str(caught.value)
    assert said.startswith(f"a value cannot be sent as JSON: {problem}")
    assert len(said) < 320
    said.encode()

    many = [
        (0, lambda: finish(client.bulk.submit_many([{"handler": "h", "payload": payload}], None))),
        (2, lambda: list(iterate(client.bulk.map("h", [{}, {}, payload], None, None, {})))),
    ]
    for index, call in many:
        with pytest.raises(InvalidRequest) as caught:
            call()
        assert str(caught.value) == f"item {index}: {said}"
    assert channel.requests == []


def test_what_is_nested_deeply_is_still_sent() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    client, channel = core(answer(201, wire_task()))

    finish(client.tasks.submit("h", {"x": deep}, None, {}))

    assert channel.body()["payload"] == {"x": deep}


def test_options_are_named_alike() -> None:
    for options, problem in (({"title": b"x"}, "title: bytes"), ({"tags": [NOW]}, "tags[0]: date")):
        with pytest.raises(InvalidRequest) as caught:
            finish(core()[0].tasks.submit("h", None, None, options))  # type: ignore[arg-type]
        assert str(caught.value).startswith(f"a value cannot be sent as JSON: {problem}")
    with pytest.raises(InvalidRequest, match=r"as JSON: title: text that is not valid Unicode"):
        finish(core()[0].tasks.update("0198c0de", None, {"title": "\ud800"}))
    with pytest.raises(InvalidRequest, match="item 1: a task to submit is a mapping"):
        finish(core()[0].bulk.submit_many([{"handler": "h"}, 5], None))  # type: ignore[list-item]
