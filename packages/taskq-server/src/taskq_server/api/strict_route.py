"""The route class: every query parameter is known, and a body is strict JSON."""

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, ClassVar, get_origin

from fastapi import FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.params import Depends
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.convertors import StringConvertor, register_url_convertor

from taskq_server.api import access
from taskq_server.api.body import reading as body
from taskq_server.api.body import strict_json
from taskq_server.api.body.large_body import LargeBody, Parsed
from taskq_server.api.caller import caller_of
from taskq_server.api.dependencies import runtime_of
from taskq_server.api.request_metrics import set_route
from taskq_server.core.config import Settings
from taskq_server.domain.errors import FieldError, InvalidFields
from taskq_server.runtime import Runtime
from taskq_server.schemas.task import TaskCreate

TASK_ID = "{task_id:task_id}"
"""The id in a path: what is not a UUID with hyphens is another path, and answers 404."""

_KEY = "idempotency-key"
_SHORT_BYTES = 16_384


class _TaskIdConvertor(StringConvertor):
    regex = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


register_url_convertor("task_id", _TaskIdConvertor())

Handle = Callable[[Request], Coroutine[Any, Any, Response]]


class StrictRoute(APIRoute):
    """A route that refuses what it does not know, before FastAPI looks at the request.

    FastAPI alone ignores unknown query parameters, takes the last of two equal ones, and parses
    bodies leniently. It also refuses HEAD where GET is served (RFC 9110, section 9.1).
    """

    envelope: ClassVar[int] = 0
    quick_values: ClassVar[int] = strict_json.QUICK_VALUES

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self._options = options
        self._access = access.of(self.operation_id or self.name)
        if self.methods and "GET" in self.methods:
            self.methods.add("HEAD")  # the server sends the head of the answer to GET

    def within(self, app: FastAPI, dependencies: Sequence[Depends]) -> "StrictRoute":
        """Return the route as it is served in an application.

        Args:
            app: whose `dependency_overrides` count.
            dependencies: those of the application, which run before the route's own.
        """
        own: Sequence[Depends] = self._options.get("dependencies") or ()
        served = type(self)(
            self.path,
            self.endpoint,
            **{
                **self._options,
                "dependencies": [*dependencies, *own],
                "dependency_overrides_provider": app,
            },
        )
        served._options = self._options
        return served

    @staticmethod
    def max_bytes(settings: Settings) -> int:
        """Return how many bytes a body may have."""
        return settings.max_body_bytes

    def get_route_handler(self) -> Handle:
        """Return FastAPI's handler behind the checks."""
        handle = super().get_route_handler()
        parameters = dict(_query_parameters(self.dependant))
        media_types = _media_types(self.openapi_extra or {})

        async def strict(request: Request) -> Response:
            set_route(request.scope, self.path_format)
            if not self._access.is_open:
                self._access.check(caller_of(request.scope))
            if request.scope["query_string"]:
                _check_query(request, parameters)
            if self.body_field is not None:
                request = await self._read(request, media_types)
            return await handle(request)

        return strict

    async def _read(self, request: Request, media_types: tuple[str, ...]) -> Request:
        runtime = runtime_of(request.app)
        raw = await body.read(request, media_types, self.max_bytes(runtime.settings))
        if len(raw) > _SHORT_BYTES:
            await runtime.turns.next()
        if not strict_json.is_large(raw, self.quick_values):
            return body.JsonRequest(request, raw, strict_json.parse(raw, self.envelope))
        parsed = await self._parsed(request, raw, runtime)
        return body.JsonRequest(request, raw, parsed.document, parsed.fingerprint)

    async def _parsed(self, request: Request, raw: bytes, runtime: Runtime) -> Parsed:
        large = LargeBody(raw, runtime.settings, runtime.turns.pace())
        if self.body_field is not None and self.body_field.field_info.annotation is TaskCreate:
            return await large.task(keyed=_KEY in request.headers)
        return Parsed(await large.document())


class OptionalBodyRoute(StrictRoute):
    """A route whose body may be missing."""

    async def _read(self, request: Request, media_types: tuple[str, ...]) -> Request:
        has_body = request.headers.get("content-length", "0") != "0"
        if not has_body and "transfer-encoding" not in request.headers:
            return request
        return await super()._read(request, media_types)


class BatchRoute(StrictRoute):
    """A route whose body is a list of tasks: larger, and two levels around each task."""

    envelope = 2
    quick_values = 10_000

    @staticmethod
    def max_bytes(settings: Settings) -> int:
        """Return how many bytes a batch may have."""
        return settings.max_batch_bytes

    async def _parsed(self, request: Request, raw: bytes, runtime: Runtime) -> Parsed:
        large = LargeBody(raw, runtime.settings, runtime.turns.pace())
        keyed = _KEY in request.headers
        if len(raw) <= runtime.settings.max_body_bytes:
            return await large.batch(keyed=keyed)
        async with runtime.turns.large:
            return await large.batch(keyed=keyed)


def _media_types(extra: dict[str, Any]) -> tuple[str, ...]:
    documented = extra.get("requestBody", {}).get("content", {})
    return (*documented, body.JSON)


def _query_parameters(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """Yield the name of each query parameter, and whether it may be repeated."""
    for field in dependant.query_params:
        annotation = field.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for name, member in annotation.model_fields.items():
                yield name, get_origin(member.annotation) is list
        else:
            yield field.alias, False


def _check_query(request: Request, parameters: Mapping[str, bool]) -> None:
    seen: set[str] = set()
    errors = []
    for name, _ in request.query_params.multi_items():
        where = strict_json.pointer(("query", name))
        if name not in parameters:
            errors.append(FieldError(where, "unknown-parameter", "there is no such parameter"))
        elif name in seen and not parameters[name]:
            errors.append(FieldError(where, "repeated-parameter", "give it once"))
        seen.add(name)
    if errors:
        raise InvalidFields("the query has parameters that this route does not take", errors)
