"""The formats of JSON Schema, checked by pydantic in JSON mode, as workers check them.

Another validator would refuse times and UUIDs that pydantic takes, and take others that pydantic
refuses. Formats without a type of pydantic are annotations, because workers do not check them.

Email addresses need `email-validator`. A worker whose handler takes them does not start without
that package, but an API without it accepts every address and logs a warning.
"""

import ipaddress
import json
import logging
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from re import Pattern
from typing import Annotated, Any
from uuid import UUID

import pydantic
from pydantic import TypeAdapter, ValidationError
from pydantic_core.core_schema import (
    MultiHostUrlSchema,
    UrlSchema,
    multi_host_url_schema,
    url_schema,
)


def _url(schema: UrlSchema | MultiHostUrlSchema) -> Any:
    return Annotated[str, pydantic.GetPydanticSchema(lambda _, __: schema)]


_URLS: dict[str, Any] = {
    "uri": _url(url_schema()),
    "uri-with-host": _url(url_schema(host_required=True)),
    "multi-host-uri": _url(multi_host_url_schema()),
    "multi-host-uri-with-host": _url(multi_host_url_schema(host_required=True)),
}
_TYPES: dict[str, Any] = {
    **_URLS,
    "date": date,
    "date-time": datetime,
    "date-time-aware": pydantic.AwareDatetime,
    "date-time-naive": pydantic.NaiveDatetime,
    "time": time,
    "duration": timedelta,
    "uuid": UUID,
    **{f"uuid{version}": getattr(pydantic, f"UUID{version}") for version in (1, 3, 4, 5, 6, 7, 8)},
    "integer": int,
    "number": float,
    "boolean": bool,
    "decimal": Decimal,
    "fraction": Fraction,
    "complex": complex,
    "base64": pydantic.Base64Bytes,
    "base64-text": pydantic.Base64Str,
    "base64url": pydantic.Base64UrlBytes,
    "base64url-text": pydantic.Base64UrlStr,
    "ipv4": ipaddress.IPv4Address,
    "ipv4network": ipaddress.IPv4Network,
    "ipv4interface": ipaddress.IPv4Interface,
    "ipv6": ipaddress.IPv6Address,
    "ipv6network": ipaddress.IPv6Network,
    "ipv6interface": ipaddress.IPv6Interface,
    "ipvanyaddress": pydantic.IPvAnyAddress,
    "ipvanynetwork": pydantic.IPvAnyNetwork,
    "ipvanyinterface": pydantic.IPvAnyInterface,
    "regex": Pattern[str],
}
_STRICT = ("date", "date-time", "date-time-aware", "date-time-naive", *_URLS)
"""Formats for which strict models take fewer texts."""

_EMAILS: dict[str, Any] = {"email": pydantic.EmailStr, "name-email": pydantic.NameEmail}
_log = logging.getLogger("taskq.server")
_REMARKS = (
    *("hostname", "idn-hostname", "idn-email", "uri-reference", "iri", "iri-reference"),
    *("uri-template", "json-pointer", "relative-json-pointer"),
)


def _judge(kind: Any) -> Callable[[str], bool]:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def fits(text: str) -> bool:
        try:
            adapter.validate_json(json.dumps(text))
        except (ValidationError, ZeroDivisionError):  # before pydantic 2.14: the fraction 1/0
            return False
        return True

    return fits


def _take_any_address(_: str) -> bool:
    _say_that_addresses_are_not_judged()
    return True


@cache
def _say_that_addresses_are_not_judged() -> None:
    _log.warning(
        "addresses of email are not judged here, but by workers, where a wrong one fails its "
        "task: install email-validator beside the API, too"
    )


def _judges() -> Iterator[tuple[str, Callable[[str], bool]]]:
    for name in _REMARKS:
        yield name, lambda _: True
    for name, kind in _TYPES.items():
        yield name, _judge(kind)
    for name in _STRICT:
        yield f"{name}-strict", _judge(Annotated[_TYPES[name], pydantic.Strict()])
    for name, kind in _EMAILS.items():
        try:
            yield name, _judge(kind)
        except ImportError:
            yield name, _take_any_address


FORMATS = dict(_judges())
"""A predicate for each format, which returns whether a text has that format."""
