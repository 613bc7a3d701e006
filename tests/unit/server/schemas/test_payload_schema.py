"""Schemas of payloads: compiled without a look at anything else."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskq_server.domain.errors import UnusableHandler
from taskq_server.schemas.payload_schema import compile_schema
from tests.support.unusable import BROKEN, Temptation, temptation


@pytest.fixture
def tempting(tmp_path: Path) -> Iterator[Temptation]:
    with temptation(tmp_path) as made:
        yield made


def test_what_refers_to_something_else_is_refused_and_nothing_is_fetched(
    tempting: Temptation,
) -> None:
    for name, schema in tempting.schemas().items():
        with pytest.raises(UnusableHandler) as caught:
            compile_schema("my.work", json.dumps(schema))
        assert str(caught.value).startswith("handler my.work: the JSON Schema of its payload"), name
        assert [(one.pointer, one.code) for one in caught.value.errors] == [
            ("/handler", "unusable-handler")
        ]
    assert tempting.visits == 0


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_schema_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(UnusableHandler, match=r"^handler my\.work: .* cannot be used: .") as caught:
        compile_schema("my.work", BROKEN[name])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value).encode()) < 1_000


@pytest.mark.parametrize(
    "draft",
    [
        "https://json-schema.org/draft/2020-12/schema",
        "https://json-schema.org/draft/2019-09/schema",
        "http://json-schema.org/draft-07/schema#",
        "http://json-schema.org/draft-06/schema#",
        "http://json-schema.org/draft-04/schema#",
    ],
)
def test_drafts_are_known_by_heart(draft: str) -> None:
    text = json.dumps({"$schema": draft, "properties": {"a": {"type": "integer"}}})
    compiled = compile_schema("my.work", text)
    assert compiled.document["$schema"] == draft
    assert compiled.validator.is_valid({"a": 1})
    assert not compiled.validator.is_valid({"a": "1"})


def test_what_is_in_the_schema_may_be_referred_to() -> None:
    schema = {
        "$id": "http://127.0.0.1:9/a.json",
        "properties": {"a": {"$ref": "#/$defs/int"}, "b": {"$ref": "b.json"}, "c": {"$ref": "#"}},
        "$defs": {"int": {"type": "integer"}, "b": {"$id": "b.json", "type": "string"}},
    }
    validator = compile_schema("my.work", json.dumps(schema)).validator
    assert validator.is_valid({"a": 1, "b": "x", "c": {"a": 2}})
    assert not validator.is_valid({"c": {"c": {"a": "x"}}})


def test_what_an_older_worker_wrote_as_a_default_is_no_number_but_spoils_nothing() -> None:
    compiled = compile_schema("my.work", '{"properties": {"a": {"default": Infinity}}}')
    assert compiled.document == {"properties": {"a": {"default": None}}}
    assert compiled.validator.is_valid({"a": 1})
