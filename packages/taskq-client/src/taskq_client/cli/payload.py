"""The payload on a command line: `key=text`, `key:=json`, `@FILE`, `-`."""

import json
import sys
from pathlib import Path
from typing import Any

import click

FIELDS = "[FIELDS]..."


def whole(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> dict[str, Any] | None:
    """Read a JSON object: the value itself, a file after @, or stdin for -."""
    if value is None:
        return None
    text: str | bytes = value
    if value == "-":
        text = _stdin()
    elif value.startswith("@"):
        text = _file(value[1:])
    payload = _json(text)
    if not isinstance(payload, dict):
        raise click.BadParameter('a payload is a JSON object, as in {"month": "2026-10"}')
    return payload


def fields(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any]:
    """Read the parts of a payload; the last of equal keys counts."""
    payload: dict[str, Any] = {}
    for value in values:
        if value == "-" or value.startswith("@"):
            payload.update(whole(context, parameter, value) or {})
            continue
        key, separator, text = value.partition("=")
        if not separator or key in ("", ":"):
            raise click.BadParameter(f"{value!r} is neither key=text, key:=json, @FILE nor -")
        if key.endswith(":"):
            payload[key[:-1]] = _json(text)
        else:
            payload[key] = text
    return payload


def file_or_stdin(
    context: click.Context, parameter: click.Parameter, value: str
) -> tuple[str, bytes]:
    """Read a file, or stdin for -; return its name and what is in it."""
    if value == "-":
        return "stdin", _stdin()
    return value, _file(value)


def _stdin() -> bytes:
    try:
        text = sys.stdin.buffer.read()
    except OSError as error:
        raise click.BadParameter(f"cannot read stdin: {error.strerror or error}") from None
    if not text.strip():
        raise click.BadParameter("stdin is empty, and - reads from it")
    return text


def _file(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise click.BadParameter(f"cannot read {name!r}: {error.strerror}") from None
    except ValueError as error:  # a NUL in the name
        raise click.BadParameter(f"cannot read {name!r}: {error}") from None


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"not JSON: {error}") from None
