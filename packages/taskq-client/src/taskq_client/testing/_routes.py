"""The paths of the fake, and the checks of every request."""

import re
from collections.abc import Generator
from typing import Any
from urllib.parse import parse_qsl

import httpx

from taskq_client.testing import _bulk_operations, _operations, _schedule_operations, _schemas
from taskq_client.testing._call import Call
from taskq_client.testing._headers import entity_tags
from taskq_client.testing._json import parse
from taskq_client.testing._problems import Problem, field
from taskq_client.testing._rules import OPERATIONS as RULES
from taskq_client.testing._rules import SCHEMAS
from taskq_client.testing._sizes import check_bytes, check_values
from taskq_client.testing._store import FakeStore

OPERATIONS = {
    **_operations.OPERATIONS,
    **_bulk_operations.OPERATIONS,
    **_schedule_operations.OPERATIONS,
}
"""What serves each operation of the document."""

_KEY = "Idempotency-Key"
_JSON = "application/json"
_UTF_8 = ("charset=utf-8", 'charset="utf-8"')
_TASK_ID = r"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
_WITH_TASK = ("/schedules/{name}",)
"""Where a body has a task one level below its own."""
_NAMES = {"queues": "(.*)", "schedules": "(code:.+|[^/]+)"}


def _pattern(path: str) -> re.Pattern[str]:
    of_name = _NAMES.get(path.split("/")[1], "")
    found = re.sub(r"\{(task|operation)_id\}", lambda _: _TASK_ID, path)
    return re.compile(found.replace("{name}", of_name))


_PATHS = {
    name: _pattern(RULES[name]["path"])
    for name in sorted(RULES, key=lambda name: "{" in RULES[name]["path"])
    if name in OPERATIONS  # keys are made by the methods of the fake
}


def answer(store: FakeStore, request: httpx.Request) -> Generator[float, None, httpx.Response]:
    """Serve one request; yields seconds of real time to sleep."""
    caller = store.keys.caller(request)
    if not request.url.path.endswith("/events"):  # a stream shows earlier states, too
        store.run_due()
    name, task_id = _operation(request)
    caller.check(name)
    given = parse_qsl(request.url.query.decode("latin-1"), keep_blank_values=True)
    _schemas.check_names(name, given)
    document = _document(name, request)
    faults = _schemas.read_part(name, "name", task_id) if "name" in RULES[name]["parts"] else []
    faults += _header_faults(name, request)
    query, more = _schemas.read_query(name, given)
    faults += more
    body: dict[str, Any] = {}
    if "body" in RULES[name]:
        body, more = _schemas.read_body(RULES[name]["body"], document)
        faults += more
    _schemas.refuse(faults)
    if name not in ("wait", "events") and not query.get("wait"):
        store.activity += 1
    call = Call(store, request, caller, task_id, given, query, document, body)
    served = OPERATIONS[name](call)
    return served if isinstance(served, httpx.Response) else (yield from served)


def _operation(request: httpx.Request) -> tuple[str, str]:
    """Return the operation of a request, and the id or name in its path."""
    found = {name: match for name in _PATHS if (match := _PATHS[name].fullmatch(request.url.path))}
    if not found:
        raise Problem("not-found", "nothing is served under this path")
    wanted = "GET" if request.method == "HEAD" else request.method
    for name, match in found.items():
        if RULES[name]["method"] == wanted:
            return name, _named(RULES[name]["path"], match)
    allowed = {RULES[name]["method"] for name in found}
    allowed |= {"HEAD"} if "GET" in allowed else set()
    raise Problem(
        "method-not-allowed",
        f"this path takes {' and '.join(sorted(allowed))}",
        headers={"allow": ", ".join(sorted(allowed))},
    )


def _named(path: str, match: re.Match[str]) -> str:
    if not match.re.groups:
        return ""
    return match[1].lower() if "{task_id}" in path else match[1]


def _document(name: str, request: httpx.Request) -> Any:
    """Read the body of a request, if its operation takes one."""
    rules = RULES[name]
    if "body" not in rules:
        return None
    raw = request.content
    if not raw and rules["optional_body"]:
        return {}
    others = [one for one in rules["media_types"] if one != _JSON]
    _check_media_type(request, (*others, _JSON))
    is_batch = "items" in SCHEMAS[rules["body"]]["properties"]
    check_bytes(raw, is_batch=is_batch)
    if not raw:
        raise Problem("invalid-json", "the body is empty")
    document = parse(raw, envelope=2 if is_batch else int(rules["path"] in _WITH_TASK))
    return check_values(raw, document, is_batch=is_batch)


def _check_media_type(request: httpx.Request, accepted: tuple[str, ...]) -> None:
    name = "accept-patch" if len(accepted) > 1 else "accept"
    headers = {name: ", ".join(accepted)}
    if not _is_accepted(request.headers.get_list("content-type"), accepted):
        detail = f"send the body as {' or '.join(accepted)} in UTF-8"
        raise Problem("unsupported-media-type", detail, headers=headers)
    coding = request.headers.get("content-encoding", "identity")
    if coding.strip().lower() != "identity":
        detail = "send the body without a content coding"
        raise Problem("unsupported-media-type", detail, headers=headers)


def _is_accepted(given: list[str], accepted: tuple[str, ...]) -> bool:
    if len(given) != 1:
        return False
    media_type, *parameters = (part.strip() for part in given[0].lower().split(";"))
    charsets = [each for each in parameters if each.startswith("charset")]
    return media_type in accepted and all(each in _UTF_8 for each in charsets)


def _header_faults(name: str, request: httpx.Request) -> list[_schemas.Fault]:
    for header in ("If-Match", "If-None-Match"):
        if header in RULES[name]["headers"]:
            entity_tags(request, header)
    keys = request.headers.get_list(_KEY)
    if _KEY not in RULES[name]["headers"] or not keys:
        return []
    faults = _schemas.read_header(name, _KEY, keys[0])
    if not faults and len(keys) > 1:
        error = field(f"/header/{_KEY}", "repeated-header", "give it once")
        raise Problem("invalid-request", "the request has two idempotency keys", [error])
    return faults
