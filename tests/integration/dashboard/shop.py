"""A handler of a shop, whose payload has a field of each kind, and forms that submit to it."""

import json
from typing import Any

import httpx
import pytest

from taskq_server.runtime import Runtime
from tests.integration.dashboard.published import FROM_PAGE, Form, publish, text_of

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "to": {"type": "string", "title": "To whom", "description": "An address", "minLength": 3},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "size": {"type": "integer", "minimum": 1, "default": 1},
        "price": {"anyOf": [{"type": "number"}, {"type": "string", "format": "decimal"}]},
        "flag": {"type": "boolean", "default": False},
        "colour": {"enum": ["red", "blue"]},
        "day": {"type": "string", "format": "date"},
        "lines": {"type": "array", "items": {"type": "string"}, "default": []},
        "ship": {"$ref": "#/$defs/Address"},
        "extra": {"type": "object", "additionalProperties": True},
    },
    "required": ["to", "size"],
    "$defs": {
        "Address": {
            "type": "object",
            "properties": {"street": {"type": "string"}, "zip": {"type": "string"}},
            "required": ["street"],
        }
    },
}
PATH = "/dashboard/submit/shop.order"


@pytest.fixture
async def shop(runtime: Runtime) -> None:
    await publish(runtime, "shop.order", json.dumps(SCHEMA), "Pack an order.")


@pytest.fixture
async def form(api: httpx.AsyncClient, shop: None) -> Form:
    return Form((await api.get(PATH)).text)


async def post(
    api: httpx.AsyncClient, sent: dict[str, str], path: str = PATH, **headers: str
) -> httpx.Response:
    return await api.post(path, data=sent, headers={**FROM_PAGE, **headers})


async def made(api: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 303, text_of(answer.text)
    found = await api.get(answer.headers["location"].removeprefix("/dashboard"))
    task: dict[str, Any] = found.json()
    return task


async def tasks(api: httpx.AsyncClient) -> int:
    return len((await api.get("/tasks")).json()["items"])
