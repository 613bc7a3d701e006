"""The parser: what is JSON, what two parsers could read differently, and what does not fit."""

import json
import time

import pytest
from pydantic import JsonValue

from taskq_server.api.body.strict_json import parse, pointer
from taskq_server.api.errors import InvalidJson
from taskq_server.domain.errors import InvalidFields


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", {}),
        (' [1, -2.5e3, "a\\u00e4\\ud83d\\ude00", true, null] ', [1, -2500.0, "aä😀", True, None]),
        ('{"a": {"a": 1}, "b": {"a": 1}}', {"a": {"a": 1}, "b": {"a": 1}}),
        ('"\\u0000"', "\0"),
        (str(2**63 - 1), 2**63 - 1),
        (str(-(2**63)), -(2**63)),
        ("1e308", 1e308),
        ("1e-400", 0.0),
        ('{"": 0}', {"": 0}),
    ],
)
def test_json(text: str, value: JsonValue) -> None:
    assert parse(text.encode()) == value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b'{"a":1,}',
        b"[1 2]",
        b"{'a':1}",
        b"nul",
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"0x10",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e309",
        b"[-1e999]",
        b'{"a":1,"a":1}',
        b'[{"x":{"\\u0061":1,"a":2}}]',
        b'"\x00"',
        b'"tab\there"',
        b'"\\x41"',
        b'"\\ud8"',
        b'"\xff"',
        b'"\xc0\x80"',
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        "{}".encode("utf-32-le"),
        b"{} {}",
        b"// no\n{}",
        b"1" * 5_000,
        b"[" * 40 + b"x",
    ],
)
def test_not_json(raw: bytes) -> None:
    with pytest.raises(InvalidJson):
        parse(raw)


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("raw", "where", "code"),
    [
        (b'"\\ud800"', "", "invalid-unicode"),
        (b'{"a":["b","\\udfff x"]}', "/a/1", "invalid-unicode"),
        (b'{"a":{"\\ud800":1}}', "/a", "invalid-unicode"),
        (b'"\\ude00\\ud83d"', "", "invalid-unicode"),
        (str(2**63).encode(), "", "integer-out-of-range"),
        (
            b'{"a~b":{"c/d":[' + str(-(2**63) - 1).encode() + b"]}}",
            "/a~0b/c~1d/0",
            "integer-out-of-range",
        ),
        (b"1" * 4_000, "", "integer-out-of-range"),
        (nested(33), "/0" * 32, "too-deep"),
        (b'{"a":' * 33 + b"0" + b"}" * 33, "/a" * 32, "too-deep"),
        (nested(500), "/0" * 32, "too-deep"),
    ],
)
def test_a_value_that_does_not_fit(raw: bytes, where: str, code: str) -> None:
    with pytest.raises(InvalidFields) as caught:
        parse(raw)
    (error,) = caught.value.errors
    assert (error.pointer, error.code) == (where, code)


def test_32_levels_are_not_too_deep() -> None:
    parse(nested(32))
    parse(nested(34), envelope=2)


@pytest.mark.parametrize("raw", [nested(100_000), b"[" * 100_000, b'{"a":' * 100_000])
def test_a_hundred_thousand_levels_cost_nothing(raw: bytes) -> None:
    began = time.process_time()
    with pytest.raises(InvalidFields) as caught:
        parse(raw)
    assert time.process_time() - began < 0.5
    assert caught.value.errors[0].code == "too-deep"


def test_many_keys_cost_no_more_than_their_number() -> None:
    keys = ",".join(f'"{n}":0' for n in range(100_000))
    began = time.process_time()
    with pytest.raises(InvalidJson, match='"99999"'):
        parse(f'{{{keys},"99999":1}}'.encode())
    assert time.process_time() - began < 2


def test_what_python_writes_is_read_back() -> None:
    value: JsonValue = {"a": [1, 2.5, "ä\u2028\0", None, True, {"b": {}}], "c": -(2**63)}
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


def test_pointers_are_escaped() -> None:
    assert pointer(()) == ""
    assert pointer(("a/b", "~", 0, "")) == "/a~1b/~0/0/"
