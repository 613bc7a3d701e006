"""Texts that have a format: API and worker judge them alike."""

import ipaddress
import json
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from re import Pattern
from typing import Annotated, Any
from uuid import UUID

import pydantic
import pytest
from pydantic import Field, WithJsonSchema

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
}


def read(kind: Any) -> tuple[signature.Signature, PayloadSchema]:
    def function(value: Any) -> None: ...

    function.__annotations__["value"] = kind
    handler = _read(function, HandlerMark("h", None, None, None, (Exception,)))
    return handler.signature, compile_schema("h", handler.schema)


def payloads(name: str) -> Iterator[dict[str, Any]]:
    for text in TEXTS:
        yield {"value": [text] if name == "listed" else text}


@pytest.mark.parametrize("name", TYPES)
def test_what_the_api_takes_is_what_the_worker_takes(name: str) -> None:
    takes, schema = read(TYPES[name])
    different = []
    for payload in payloads(name):
        try:
            takes.arguments(json.dumps(payload), None)
            fits = True
        except Fatal:
            fits = False
        if schema.validator.is_valid(payload) is not fits:
            different.append((payload, "the worker takes it" if fits else "the API takes it"))
    assert different == []


def test_a_text_that_does_not_fit_is_explained() -> None:
    _, schema = read(UUID)
    (mistake,) = filter(None, schema.explanation.mistakes({"value": "x"}))
    assert mistake.path == ("value",)
    assert "uuid" in mistake.message
