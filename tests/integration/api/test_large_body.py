"""Large bodies are read in pieces, and answered as in one piece: old and new, side by side."""

import json
import random
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from pydantic import BaseModel, ValidationError

from taskq_server.api.body import strict_json
from taskq_server.api.body.large_body import LargeBody
from taskq_server.core.config import Settings
from taskq_server.core.turns import Turns
from taskq_server.domain.errors import InvalidFields, Rejected
from taskq_server.domain.requests import NewTask
from taskq_server.schemas.task import TaskBatch, TaskCreate
from taskq_server.services.submission import IdempotencyKey

SETTINGS = Settings()
TASK = {"handler": "taskq.echo", "payload": {"value": [1, -2.5, 'ä\\"', None, {"a": {}}]}}
ODD = [
    *("NaN", "-Infinity", "1e999", "-1e999", "9" * 4_000, "9" * 5_000, str(2**63), str(-(2**63))),
    *(
        '{"a": 1, "a": 2}',
        '{"a": 1, "\\u0061": 2}',
        '"\\ud800"',
        '{"\\udfff": 1}',
        '"\\ude00\\ud83d"',
    ),
    *('"a\x00b"', '"\\x41"', "'a'", "017", "[1,]", '{"a":1,}', "/**/ 1", "tru", '"', '"\\', "["),
    *("{", "]", "}", "", ",", ":", '{"a"}', "{1:2}", '{"a" 1}', "[1 2]", "1 2", '{"a":1 "b":2}'),
    *("[" * 29 + "]" * 29, "[" * 30 + "]" * 30, "[" * 31 + "]" * 31, "[" * 500 + "]" * 500),
    *("[" * 100_000, '{"a":' * 100_000, " \t\n\r1 ", '"' + '\\\\\\"' * 3_000 + '"', "17", "[]"),
    *(
        '"' + "x,[{" * 2_000 + '"',
        "[[], {}]",
        '[" ", "\\u00e4☃🎉"]',
        "{}",
        "1\x0b",
        "\xa0",
        "\ufeff1",
    ),
    json.dumps(TASK),
]
AROUND = {
    "task": [
        *("@", "{@: 1}", '{"handler": "a"}@', '{"handler": "a" @}'),
        ' {"handler": "taskq.echo", "payload": {"value": @}}\n',
        '{"handler": "taskq.echo", "payload": @, "title": " "}',
        '{"handler": @, "tags": ["a", @], "x": @}',
    ],
    "batch": [
        *("@", '{"items": @}', '{"items": [@]}', '{"items": [], @: 1}'),
        *('{"items": [{"handler": "a"}] @ }', '{"items": [{"handler": "a"} @ ]}'),
        '{"items": [{"handler": "a", "payload": {"value": @}}, {"handler": "b"}]}',
        '{"items": [{"handler": "a"}, {"handler": "a", "payload": @}]}',
        '{"items": [{"handler": "a", "payload": {"a": "\\ud800"}}, @]}',
        '{"items": [{"handler": "a"}, {"handler": " "}], "more": @}',
        '{"more": @, "items": [{"handler": "a", "tags": [@]}]}',
        '{"items": [{"handler": "a"}], "items": @}',
        '{"\\u0069tems": [{"handler": "a", "title": @}]}@',
    ],
}

Outcome = tuple[Any, ...]


def bodies(kind: str) -> Iterator[bytes]:
    """Each odd value in each place, also changed, cut, and behind texts that cross blocks."""
    dice = random.Random(11)
    for around in AROUND[kind]:
        for odd in ODD:
            raw = around.replace("@", odd).encode("utf-8", "surrogatepass")
            yield raw
            if raw:
                at = dice.randrange(min(len(raw), 400))
                yield raw[:at] + bytes([dice.choice(b'"\\,:[]{} 0a\xff')]) + raw[at + 1 :]
                yield raw[:at]
                text = b'\\\\,[\\"' * dice.randrange(2_000)
                yield raw.replace(b": 1", b': "' + text + b'"').replace(
                    b"[", b'["' + text + b'",', 1
                )


def in_one_piece(raw: bytes, kind: str) -> Outcome:
    try:
        document = strict_json.parse(raw, 2 if kind == "batch" else 0)
    except Rejected as error:
        return refused(error)
    return validated(kind, document, IdempotencyKey.of("k", document).fingerprint)


async def in_pieces(raw: bytes, kind: str) -> Outcome:
    body = LargeBody(raw, SETTINGS, Turns().pace())
    try:
        parsed = await (body.batch(keyed=True) if kind == "batch" else body.task(keyed=True))
    except Rejected as error:
        return refused(error)
    return validated(kind, parsed.document, parsed.fingerprint)


def refused(error: Rejected) -> Outcome:
    return type(error), str(error), error.errors if isinstance(error, InvalidFields) else ()


def validated(kind: str, document: object, fingerprint: str | None) -> Outcome:
    model: type[BaseModel] = TaskBatch if kind == "batch" else TaskCreate
    try:
        valid = model.model_validate(document)
    except ValidationError as error:
        return tuple((one["loc"], one["type"], one["msg"]) for one in error.errors()[:100])
    tasks = valid.items if isinstance(valid, TaskBatch) else [valid]
    stored = [stored_as(new.as_new_task()) for new in tasks]
    return fingerprint, stored


def stored_as(new: NewTask) -> tuple[bytes, NewTask]:
    payload = new.payload if isinstance(new.payload, bytes) else orjson.dumps(new.payload)
    return payload, new._replace(payload=b"")


@pytest.mark.parametrize("kind", AROUND)
async def test_the_same_answer_as_in_one_piece(kind: str) -> None:
    answers = set()
    for raw in bodies(kind):
        expected = in_one_piece(raw, kind)
        assert await in_pieces(raw, kind) == expected, raw[:300]
        answers.add(str(expected[:2]))
    assert len(answers) > 100


async def test_a_packed_task_is_the_same_task() -> None:
    long = json.dumps({"items": [{**TASK, "description": "x" * 10_000}] * 150}).encode()
    assert len(long) > SETTINGS.max_body_bytes
    assert await in_pieces(long, "batch") == in_one_piece(long, "batch")


async def test_errors_of_many_tasks_are_the_first_ones() -> None:
    bad = json.dumps({"items": [{"handler": "a", **{f"x{n}": n for n in range(7)}}] * 600}).encode()
    assert await in_pieces(bad, "batch") == in_one_piece(bad, "batch")
