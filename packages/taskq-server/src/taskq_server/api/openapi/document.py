"""The OpenAPI document, and the pages that show it."""

import json
from collections.abc import Mapping
from copy import copy
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from taskq_server import __version__
from taskq_server.api import access, namespace_header
from taskq_server.api.body.reading import JSON
from taskq_server.api.caller import caller_of
from taskq_server.api.dependencies import CatalogDep, runtime_of
from taskq_server.api.openapi.assets import Assets
from taskq_server.api.openapi.examples import EXAMPLES, OF_NEW_TASKS
from taskq_server.api.openapi.responses import HEADERS
from taskq_server.api.prefix import address
from taskq_server.api.strict_route import StrictRoute
from taskq_server.domain.errors import Unavailable
from taskq_server.schemas.problem import Problem
from taskq_server.schemas.service import StatsEvent

TITLE = "taskq"
DESCRIPTION = """\
Run `reports.build` with this payload, priority high, tag `monthly`: taskq stores that as a row, \
runs the handler on a worker, retries it sensibly, and tells whoever waits.

Bodies are strict JSON in UTF-8: no duplicate keys, no NaN, no integers beyond 64 bits, at most \
32 levels deep. Every error is a problem (RFC 9457) with a stable `code`. Unknown fields and \
query parameters are refused; clients should ignore fields that they do not know. Times are \
RFC 3339 in UTC, durations are seconds. `HEAD` is served wherever `GET` is.

A key without the scope `tasks:read` sees the tasks that it has submitted itself, and finds no \
others. Where it changes another task, or submits one that another key has submitted before, the \
answer has an empty `payload`, no `errors`, and null as `result`. Of a task that holds the \
`unique_key` of its own submit it gets the `id` and the `status`, and nothing else.

Before a request reaches a route, the server may refuse it and close the connection: 400 \
`malformed-request` (no HTTP, or a transfer coding other than chunked), 408 `request-timeout` (the \
head takes more than ten seconds, or less than a kilobyte of the body comes in ten), 431 \
`head-too-large` (more than 16 kB or 100 fields), 503 `too-many-connections`. \
An application that is mounted without its lifespan answers everything with 500 `not-started`."""

TAGS = [
    {"name": "tasks", "description": "Submit tasks, wait for them, change and list them."},
    {"name": "bulk", "description": "Change all tasks that a filter finds."},
    {"name": "catalog", "description": "What there is: handlers, tags, and how many tasks."},
    {"name": "queues", "description": "See how queues stand, pause and resume them."},
    {"name": "schedules", "description": "Submit tasks at their times."},
    {"name": "keys", "description": "Who may call, and what for."},
    {"name": "health", "description": "Probes for a balancer and a service manager."},
]

_KEY = "key"
_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "tq_<id>_<secret>",
    "description": "An API key. Without one, a deployment that has keys answers 401.",
}

ASSETS_PATH = "/docs/assets"
assets = Assets(packages=[("fastapi_offline", "static")])

_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Forbids the pages to load anything from elsewhere, and to be in a frame."""

router = APIRouter(route_class=StrictRoute, include_in_schema=False)


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the document of `app`, without the names of handlers.

    Raises:
        LookupError: a body of a route has no example.
    """
    document = get_openapi(
        title=TITLE,
        version=__version__,
        description=DESCRIPTION,
        tags=TAGS,
        routes=[_without_head(route) for route in app.routes],
    )
    components: dict[str, Any] = document["components"]
    components["headers"] = HEADERS
    for model in (Problem, StatsEvent):  # no route has them as the model of its answer
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        for name, defined in {**schema.pop("$defs"), model.__name__: schema}.items():
            components["schemas"].setdefault(name, defined)
    components.setdefault("securitySchemes", {})[_KEY] = _SCHEME
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            # Dependencies of the application's owner may ask for something else.
            operation.setdefault("security", _security(operation["operationId"]))
            if access.of(operation["operationId"]).in_namespace:
                operation.setdefault("parameters", []).append(namespace_header.PARAMETER)
            for parameter in operation.get("parameters", ()):
                _forbid_null(parameter["schema"])
            where = f"{method.upper()} {path}"
            _add_examples(where, operation.get("requestBody", {}), EXAMPLES)
            for status, answer in operation["responses"].items():
                examples = {**EXAMPLES, **OF_NEW_TASKS} if status == "201" else EXAMPLES
                _add_examples(where, answer, examples)
    return document


def _security(operation_id: str) -> list[dict[str, list[str]]]:
    """Return what an operation needs; the empty alternative is a deployment without keys."""
    return [] if access.of(operation_id).is_open else [{_KEY: []}, {}]


def with_handlers(document: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return `document` with the handlers that a task may name now, if there are any.

    The handlers are only examples, so that a generated client works with other handlers, too.
    """
    if not names:
        return document
    copied: dict[str, Any] = json.loads(json.dumps(document))
    handler = copied["components"]["schemas"]["TaskCreate"]["properties"]["handler"]
    handler["examples"] = list(names)
    return copied


@router.get("/openapi.json")
async def openapi(request: Request, catalog: CatalogDep) -> Response:
    """Return the document; it names the handlers, unless the database is away."""
    try:
        names = await catalog.names(caller_of(request.scope))
    except Unavailable:
        names = ()
    document = with_handlers(request.app.openapi(), names)
    root = address(request.scope, "")
    if root:
        document = {**document, "servers": [{"url": root}]}
    return Response(json.dumps(document), media_type=JSON)


@router.get("/")
async def root(request: Request) -> RedirectResponse:
    """Lead whoever opens the bare address to the dashboard, or else to the document's page."""
    settings = runtime_of(request.app).settings
    page = "/docs" if settings.dashboard == "off" else settings.dashboard_path
    return RedirectResponse(address(request.scope, page))


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Show the document with Swagger UI."""
    page = get_swagger_ui_html(
        openapi_url=address(request.scope, "/openapi.json"),
        title=TITLE,
        swagger_js_url=address(request.scope, f"{ASSETS_PATH}/swagger-ui-bundle.js"),
        swagger_css_url=address(request.scope, f"{ASSETS_PATH}/swagger-ui.css"),
        swagger_favicon_url=address(request.scope, f"{ASSETS_PATH}/favicon.png"),
        swagger_ui_parameters={"validatorUrl": None},  # the page would send it the address
    )
    page.headers["Content-Security-Policy"] = _POLICY
    return page


@router.get("/redoc")
async def redoc(request: Request) -> HTMLResponse:
    """Show the document with ReDoc."""
    page = get_redoc_html(
        openapi_url=address(request.scope, "/openapi.json"),
        title=TITLE,
        redoc_js_url=address(request.scope, f"{ASSETS_PATH}/redoc.standalone.js"),
        redoc_favicon_url=address(request.scope, f"{ASSETS_PATH}/favicon.png"),
        with_google_fonts=False,
    )
    page.headers["Content-Security-Policy"] = _POLICY
    return page


def _without_head(route: BaseRoute) -> BaseRoute:
    """Return the route without HEAD, which would repeat the operation of GET."""
    described = copy(route)
    if isinstance(described, APIRoute) and described.methods:
        described.methods = described.methods - {"HEAD"}
    return described


def _add_examples(where: str, body: dict[str, Any], examples: Mapping[str, Any]) -> None:
    for content in body.get("content", {}).values():
        if "examples" not in content:
            content["examples"] = _examples(where, content["schema"], examples)


def _examples(where: str, schema: dict[str, Any], examples: Mapping[str, Any]) -> dict[str, Any]:
    names = [one.get("$ref", "").rpartition("/")[2] for one in schema.get("anyOf", (schema,))]
    for name in names:
        if not name:
            raise LookupError(f"{where}: give each of its bodies a model of its own as its type")
        if name not in examples:
            raise LookupError(f"{where}: add an example of {name} to api/openapi/examples.py")
    return {name: {"value": examples[name]} for name in names}


def _forbid_null(schema: dict[str, Any]) -> None:
    """Remove null from a parameter's type, because text in a URL or header is never null."""
    options = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(options) == 1:
        del schema["anyOf"]
        schema |= options[0]
