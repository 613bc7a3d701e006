"""Bodies that mean harm: never a 500, always a documented problem, and nothing is stored."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support.stack import Stack

JSON = "application/json"
TASK = '{"handler": "taskq.echo", "payload": {"value": 1}}'
BATCH = '{"items": [%s]}'


@dataclass(frozen=True)
class Hostile:
    """One request, and the statuses that may answer it."""

    route: str
    raw: bytes
    statuses: tuple[int, ...]
    content_type: str = JSON
    encoding: str | None = None


def nested(levels: int) -> bytes:
    return b"[" * levels + b"0" + b"]" * levels


# A value, as it stands in the body, and what it is refused with wherever it stands.
VALUES: dict[str, tuple[bytes, int]] = {
    "nan": (b"NaN", 400),
    "infinity": (b"Infinity", 400),
    "minus infinity": (b"-Infinity", 400),
    "too large for a double": (b"1e999", 400),
    "too small for a double": (b"-1e999", 400),
    "5,000 digits": (b"9" * 5_000, 400),
    "a key twice": (b'{"a": 1, "a": 2}', 400),
    "a key twice, once escaped": (b'{"a": 1, "\\u0061": 2}', 400),
    "broken utf-8": (b'"\xff\xfe"', 400),
    "overlong utf-8": (b'"\xc0\xaf"', 400),
    "a surrogate in utf-8": (b'"\xed\xa0\x80"', 400),
    "latin-1": ('"ü"'.encode("latin-1"), 400),
    "a raw control character": (b'"a\x00b"', 400),
    "a bad escape": (b'"\\x41"', 400),
    "single quotes": (b"'a'", 400),
    "an octal number": (b"017", 400),
    "a trailing comma": (b"[1,]", 400),
    "a comment": (b"/* */ 1", 400),
    "undefined": (b"undefined", 400),
    "a high surrogate": (b'"\\ud800"', 422),
    "a low surrogate": (b'"x\\udfff"', 422),
    "surrogates the wrong way round": (b'"\\ude00\\ud83d"', 422),
    "a surrogate in a key": (b'{"\\ud800": 1}', 422),
    "33 levels": (nested(33), 422),
    "500 levels": (nested(500), 422),
    "100,000 levels": (nested(100_000), 422),
    "2 ** 63": (str(2**63).encode(), 422),
    "- 2 ** 63 - 1": (str(-(2**63) - 1).encode(), 422),
    "2 ** 64": (str(2**64).encode(), 422),
    "300 digits": (b"1" * 300, 422),
}

# Where a value can stand: the route, and the body around it.
PLACES: dict[str, tuple[str, str]] = {
    "payload": ("POST /tasks", '{"handler": "taskq.echo", "payload": {"value": @}}'),
    "unknown field": ("POST /tasks", '{"handler": "taskq.echo", "x": @}'),
    "handler": ("POST /tasks", '{"handler": @}'),
    "tag": ("POST /tasks", '{"handler": "taskq.echo", "payload": {"value": 1}, "tags": ["a", @]}'),
    "batch": (
        "POST /tasks/batch",
        BATCH % f'{TASK}, {{"handler": "taskq.echo", "payload": {{"value": @}}}}',
    ),
    "patch": ("PATCH /tasks/{task_id}", '{"description": @}'),
    "wait": ("POST /tasks/wait", '{"ids": [@], "timeout_seconds": 0}'),
}

ROUTES = ("POST /tasks", "POST /tasks/batch", "PATCH /tasks/{task_id}", "POST /tasks/wait")

# A whole body, and what any route may refuse it with.
DOCUMENTS: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "nothing": (b"", (400,)),
    "spaces": (b" \n\t ", (400,)),
    "null": (b"null", (422,)),
    "a number": (b"17", (422,)),
    "a text": (b'"taskq.echo"', (422,)),
    "a list": (b"[]", (422,)),
    "a cut object": (b'{"handler": "taskq.echo"', (400,)),
    "two objects": (b"{}{}", (400,)),
    "rubbish behind it": (b"{} x", (400,)),
    "a byte order mark": (b"\xef\xbb\xbf" + TASK.encode(), (400,)),
    "utf-16": (TASK.encode("utf-16"), (400,)),
    "utf-32": (TASK.encode("utf-32"), (400,)),
    "gzip": (gzip.compress(TASK.encode()), (400,)),
    "a form": (b"handler=taskq.echo", (400,)),
    "xml": (b"<task/>", (400,)),
    "open brackets": (b"[" * 100_000, (422,)),
    "open braces": (b'{"a":' * 100_000, (422,)),
    "8 MiB and more": (b" " * (8 * 1024 * 1024 + 1), (413,)),
}

CONTROLS = ("\0", "a\0b", "a\nb", "\x7f", "\x1b[31m", "\x9b2J", "a\u202eb")
NAMES = (*CONTROLS, " ", " a", "a ", "\u2003a", "", "x" * 256)


def bodies() -> Iterator[tuple[str, Hostile]]:
    """Every hostile body, with its name."""
    for place, (route, around) in PLACES.items():
        before, after = around.encode().split(b"@")
        for what, (value, status) in VALUES.items():
            yield f"{what} as {place}", Hostile(route, before + value + after, (status,))
    for route in ROUTES:
        for what, (document, statuses) in DOCUMENTS.items():
            yield f"{what} to {route}", Hostile(route, document, statuses)
        for content_type in ("", "text/plain", "application/json; charset=utf-16", "text/json"):
            request = Hostile(route, TASK.encode(), (415,), content_type)
            yield f"{content_type or 'no type'} to {route}", request
        for encoding in ("gzip", "deflate", "br", "x"):
            request = Hostile(route, gzip.compress(TASK.encode()), (415,), JSON, encoding)
            yield f"{encoding} to {route}", request
    for field in ("title", "handler", "queue", "tags"):
        for name in NAMES:
            task = {"handler": "taskq.echo", "payload": {"value": 1}}
            task |= {field: [name] if field == "tags" else name}
            yield f"{field} {name[:9]!r}", Hostile("POST /tasks", json.dumps(task).encode(), (422,))


BODIES = dict(bodies())


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.api_url, timeout=180, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def document(api: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def task(api: httpx.Client) -> dict[str, Any]:
    """The task that the hostile patches are for; it waits for a worker that does not exist."""
    body = {"handler": "taskq.echo", "payload": {"value": 1}, "queue": "nobody"}
    created: dict[str, Any] = api.post("/tasks", json=body).json()
    return created


def newest(api: httpx.Client) -> str:
    newest_id: str = api.get("/tasks?limit=1").json()["items"][0]["id"]
    return newest_id


def test_there_are_enough_of_them() -> None:
    assert len(BODIES) >= 300


@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_body(
    api: httpx.Client, document: dict[str, Any], task: dict[str, Any], name: str
) -> None:
    hostile = BODIES[name]
    method, path = hostile.route.split()
    last = newest(api)
    headers = {"Content-Type": hostile.content_type} if hostile.content_type else {}
    if hostile.encoding:
        headers["Content-Encoding"] = hostile.encoding

    response = api.request(
        method, path.format(task_id=task["id"]), content=hostile.raw, headers=headers
    )

    assert response.status_code in hostile.statuses, response.text
    documented = document["paths"][path][method.lower()]["responses"][str(response.status_code)]
    media_type = response.headers["content-type"]
    assert media_type == "application/problem+json"
    problem = response.json()
    assert problem["code"] in documented["content"][media_type]["examples"]
    assert problem["status"] == response.status_code
    assert "Traceback" not in response.text
    response.content.decode("utf-8", "strict").encode("ascii", "namereplace")
    assert newest(api) == last
    assert api.get(f"/tasks/{task['id']}").json() == task


def test_a_body_without_an_end(api: httpx.Client) -> None:
    last = newest(api)

    def endless() -> Iterator[bytes]:
        yield b'{"handler": "taskq.echo", "description": "'
        for _ in range(10_000):
            yield b"x" * 10_000

    try:
        response = api.post("/tasks", content=endless(), headers={"Content-Type": JSON})
    except httpx.WriteError:
        pass  # the server has answered, and does not take the rest
    else:
        assert (response.status_code, response.json()["code"]) == (413, "body-too-large")
    assert newest(api) == last
    assert api.get("/livez").status_code == 200
