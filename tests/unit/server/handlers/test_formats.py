"""Texts that have a format: API and worker judge them alike."""

import ipaddress
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import make_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from re import Pattern
from typing import Annotated, Any, Literal
from uuid import UUID

import pydantic
import pytest
from pydantic import ConfigDict, Field, WithJsonSchema, create_model
from typing_extensions import TypedDict

from taskq_server import Fatal
from taskq_server.handlers import signature
from taskq_server.handlers.registry import HandlerMark, _read
from taskq_server.schemas.payload_schema import PayloadSchema, compile_schema

UUIDS = [
    *(UUID(int=7, version=version) for version in (1, 3, 4, 5)),
    *("0" * 32, "{00000000-0000-0000-0000-000000000007}", f"urn:uuid:{UUID(int=7)}"),
    *("019a0000-0000-7000-8000-000000000000", "019a0000-0000-6000-8000-000000000000"),
]
TIMES = [
    *("2020-01-01T00:00:00Z", "2020-01-01 00:00:00", "2020-01-01T00:00", "2020-01-01"),
    *("1577836800", "2020-13-01T00:00:00Z", "2020-01-01T00:00:60Z", "2020-1-1", "20200101"),
    *("2020-02-30", "2020-01-01T00:00:00+25:00", "2020-01-01t00:00:00z", "2020-01-01T00:00:00.1Z"),
    *("10:00:00", "10:00", "10:00:00Z", "25:00", "P1D", "PT1S", "P1Y", "P1DT1H", "P1W", "-P1D"),
    *("1 day, 00:00:00", "01:00:00", "1 00:00:00", "P", "PT"),
]
NUMBERS = [
    *("1", "1.5", "-1", "+1", "1e5", "1E-5", "1_000", " 1", "NaN", "Infinity", ".5", "5.", "1,5"),
    *("1/2", "1/0", "0x10", "\u0661"),
]
PLACES = [
    *("1.2.3.4", "01.2.3.4", "1.2.3", "1.2.3.0/24", "1.2.3.4/24", "::1", "::1/64", "fe80::1%eth0"),
    *("2001:db8::/32", "1.2.3.4.5", "::g"),
    *("http://a", "HTTP://a", "ftp://a", "http://", "http://exa mple.com", "a:b", "mailto:a@b.c"),
    *("postgres://a,b:1/c", "POSTGRES://u:p@a", "postgres:///c", "postgres://", "redis://"),
    *("redis:///0", "mongodb://a,b", "mongodb://", "mongodb+srv:///c", "nats://a", "nats:///"),
    *("mysql://a/b", "mysql:///b", "snowflake:///a", "snowflake://u:p@a/b", "x://a:99999,b"),
    *(" http://a", "https://ä.de/x", "//a", "ws://a", "wss://a/b", "file:///a", "http://a:99999"),
]
OTHERS = [
    "",
    "x",
    "é",
    "YQ==",
    "YQ",
    "!!",
    "Y-_=",
    "YQ==\n",
    "a@b.de",
    "a",
    "(",
    "[a-z]+",
    "\\",
    "{}",
]
TEXTS = [str(one) for one in (*UUIDS, *TIMES, *NUMBERS, *PLACES, *OTHERS)]

TYPES: dict[str, Any] = {
    **{one.__name__: one for one in (date, datetime, time, timedelta, UUID, Decimal, Fraction)},
    **{
        name: getattr(pydantic, name)
        for name in (
            *("UUID1", "UUID3", "UUID4", "UUID5", "UUID6", "UUID7", "UUID8"),
            *("Base64Bytes", "Base64Str", "Base64UrlBytes", "Base64UrlStr", "SecretStr"),
            *("AnyUrl", "AnyHttpUrl", "HttpUrl", "FileUrl", "FtpUrl", "WebsocketUrl"),
            *("PostgresDsn", "MongoDsn", "NatsDsn", "MySQLDsn", "RedisDsn", "SnowflakeDsn"),
            *("AnyWebsocketUrl", "IPvAnyAddress", "IPvAnyNetwork", "IPvAnyInterface"),
        )
    },
    **{
        name: getattr(ipaddress, name)
        for name in (
            *("IPv4Address", "IPv4Network", "IPv4Interface"),
            *("IPv6Address", "IPv6Network", "IPv6Interface"),
        )
    },
    "port": Annotated[pydantic.AnyUrl, pydantic.UrlConstraints(default_port=1)],
    "pattern": Pattern[str],
    "bytes": bytes,
    "digits": Annotated[Decimal, Field(max_digits=20, decimal_places=10)],
    "optional": UUID | None,
    "listed": list[date],
    "remark": Annotated[str, Field(json_schema_extra={"format": "uuid"})],
    "remark_or_none": Annotated[str | None, Field(json_schema_extra={"format": "date"})],
    "remark_instead": Annotated[str, WithJsonSchema({"type": "string", "format": "email"})],
    "hostname": Annotated[str, Field(json_schema_extra={"format": "hostname"})],
    "own_format": Annotated[str, Field(json_schema_extra={"format": "phone"})],
    "aware": pydantic.AwareDatetime,
    "naive": pydantic.NaiveDatetime,
    "complex": complex,
}
KEYS = (int, float, bool, Decimal, date, datetime, UUID, str, int | str, Literal["1", "x"])
STRICT = {
    **{name: TYPES[name] for name in ("date", "datetime", "time", "timedelta", "UUID", "Decimal")},
    **{name: TYPES[name] for name in ("bytes", "Fraction", "aware", "naive", "complex", "UUID7")},
    **{name: TYPES[name] for name in ("IPv4Address", "AnyUrl", "Base64Bytes", "pattern")},
    **{name: TYPES[name] for name in ("PostgresDsn", "MongoDsn", "MySQLDsn", "RedisDsn", "port")},
    "optional": date | None,
    "listed": tuple[date, ...],
    "set": frozenset[datetime],
    "keys": dict[date, str],
    "either": date | UUID,
}
WRAPPED = {"listed": lambda text: [text], "set": lambda text: [text], "keys": lambda t: {t: t}}


def read(kind: Any) -> tuple[signature.Signature, PayloadSchema]:
    def function(value: Any) -> None: ...

    function.__annotations__["value"] = kind
    handler = _read(function, HandlerMark("h", None, None, None, (Exception,)))
    return handler.signature, compile_schema("h", handler.schema)


def check_alike(kind: Any, values: Iterable[Any]) -> None:
    """API and worker take the same of these values."""
    takes, schema = read(kind)
    different = []
    for payload in ({"value": value} for value in values):
        try:
            takes.arguments(json.dumps(payload), None)
            fits = True
        except (Fatal, ZeroDivisionError):  # before pydantic 2.14: the fraction 1/0
            fits = False
        if schema.validator.is_valid(payload) is not fits:
            different.append((payload, "the worker takes it" if fits else "the API takes it"))
    assert different == []


@pytest.mark.parametrize("name", TYPES)
def test_what_the_api_takes_is_what_the_worker_takes(name: str) -> None:
    check_alike(TYPES[name], map(WRAPPED.get(name, str), TEXTS))


@pytest.mark.parametrize("kind", KEYS, ids=str)
@pytest.mark.parametrize("strict", [False, True])
def test_keys_are_texts_of_what_they_are(kind: Any, strict: bool) -> None:
    model = create_model("M", __config__=ConfigDict(strict=strict), by_key=(dict[kind, str], ...))
    check_alike(model, ({"by_key": {text: ""}} for text in (*TEXTS, "true", "no", "0", "1.0")))


def in_model(kind: Any) -> Any:
    return create_model("Model", __config__=ConfigDict(strict=True), value=(kind, ...))


def in_dataclass(kind: Any) -> Any:
    made = make_dataclass("Data", [("value", kind)])
    return pydantic.dataclasses.dataclass(made, config=ConfigDict(strict=True))


def in_typed_dict(kind: Any) -> Any:
    class Typed(TypedDict):
        value: kind

    Typed.__pydantic_config__ = ConfigDict(strict=True)  # type: ignore[attr-defined]
    return Typed


def nested(kind: Any) -> Any:
    """A dataclass of the standard library has the configuration of what it is in."""
    return in_model(list[make_dataclass("Inner", [("value", kind)])])  # type: ignore[misc]


@pytest.mark.parametrize("within", [in_model, in_dataclass, in_typed_dict, nested])
@pytest.mark.parametrize("name", STRICT)
def test_strict_members_take_the_same_texts(name: str, within: Callable[[Any], Any]) -> None:
    wrapped = WRAPPED.get(name, str)
    values = [{"value": wrapped(text)} for text in TEXTS]
    check_alike(
        within(STRICT[name]), ({"value": [v]} for v in values) if within is nested else values
    )


@pytest.mark.parametrize("name", sorted(STRICT.keys() - {"pattern", "either"}))
def test_a_strict_parameter_takes_the_same_texts(name: str) -> None:
    wrapped = WRAPPED.get(name, str)
    check_alike(Annotated[STRICT[name], Field(strict=True)], map(wrapped, TEXTS))


def test_strict_is_what_is_in_a_strict_model_and_not_what_that_is_in() -> None:
    lax = create_model("Lax", strict=(in_model(date), ...), own=(date, ...))
    _, schema = read(lax)
    moment, day = "2020-01-01T00:00:00", "2020-01-01"
    assert schema.validator.is_valid({"value": {"strict": {"value": day}, "own": moment}})
    assert not schema.validator.is_valid({"value": {"strict": {"value": moment}, "own": day}})


ADDRESSES = """
import sys
sys.modules["email_validator"] = None
from taskq_server.schemas.payload_schema import compile_schema
schema = compile_schema("h", '{"additionalProperties": {"anyOf": [{"format": "email"}, \
{"format": "name-email"}]}}')
print([schema.validator.is_valid({"to": one}) for one in ("a@example.com", "x", "y")])
"""


def test_an_api_that_cannot_judge_addresses_says_so_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ADDRESSES], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[True, True, True]\n"
    (line,) = done.stderr.splitlines()
    assert "install email-validator beside the API" in line


def test_a_text_that_does_not_fit_is_explained() -> None:
    _, schema = read(UUID)
    (mistake,) = filter(None, schema.explanation.mistakes({"value": "x"}))
    assert mistake.path == ("value",)
    assert "uuid" in mistake.message
