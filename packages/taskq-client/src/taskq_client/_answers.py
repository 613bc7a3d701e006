"""From answers to models and errors of this package."""

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from taskq_client._channels import Answer
from taskq_client._urls import shown
from taskq_client.errors import (
    FieldProblem,
    TaskqError,
    UnexpectedAnswer,
    UnexpectedResult,
    UniqueConflict,
    error_class,
)
from taskq_client.models import Health, Task
from taskq_client.retry import retry_after

# A proxy answers 502 or 413 for itself, but only the server can say that a task does not exist.
ABOUT_A_TASK = frozenset({404, 409, 412, 422})

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=BaseModel)


class Event(NamedTuple):
    """A server-sent event, and the answer to which it belongs."""

    id: str | None
    answer: Answer


class EventReader:
    """Cut an event stream into its events, without comments and unknown fields."""

    def __init__(self) -> None:
        self._rest = b""
        self._id: str | None = None
        self._data: list[bytes] = []

    def read(self, piece: Answer) -> Iterator[Event]:
        """Yield the events that end in this piece of the answer."""
        check(piece)
        if piece.media_type != "text/event-stream":
            raise unexpected(piece, "no stream of events")
        *lines, self._rest = (self._rest + piece.body).split(b"\n")
        for line in lines:
            name, _, value = line.removesuffix(b"\r").partition(b":")
            value = value.removeprefix(b" ")
            if name == b"id":
                self._id = value.decode("utf-8", "replace")
            elif name == b"data":
                self._data.append(value)
            elif not name and not value and self._data:
                body, self._data = b"\n".join(self._data), []
                yield Event(self._id, Answer(piece.status, piece.headers, body))


def decode_event(event: Event, model: type[ModelT]) -> ModelT:
    """Read the data of an event."""
    return _validated(event.answer, model)


def decode(answer: Answer, model: type[ModelT]) -> ModelT:
    """Read the body of a success."""
    if not _is_json(answer):
        raise unexpected(
            answer, f"{answer.headers.get('content-type', 'no content type')!r} instead of JSON"
        )
    return _validated(answer, model)


def result_as(task: Task, reader: TypeAdapter[T]) -> T:
    """Read the result of a task as a type that pydantic knows."""
    try:
        return reader.validate_json(json.dumps(task.result))
    except ValidationError as error:
        raise UnexpectedResult(task, _first_problem(error)) from None
    except Exception as error:  # whatever a validator of the type raises
        raise UnexpectedResult(task, f"{type(error).__name__}: {error}") from error


def _validated(answer: Answer, model: type[ModelT]) -> ModelT:
    try:
        return model.model_validate_json(answer.body)
    except ValidationError as error:
        raise unexpected(answer, _first_problem(error)) from None


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(step) for step in first["loc"])
    return f"{first['msg']} at {where or 'its start'}"


def check(answer: Answer) -> None:
    """Raise the error of an answer that is no success."""
    if 200 <= answer.status < 300:
        return
    if answer.status < 400:
        target = shown(answer.headers.get("location", "nowhere"))
        raise unexpected(answer, f"a redirect to {target}; set the url to where the server is")
    raise _api_error(answer)


def health(answer: Answer) -> Health:
    """Read an answer of `/readyz`, whatever its status."""
    said = _object(answer)
    if said is None:
        return Health(ready=False, detail=f"{answer.status} without JSON: not a taskq server")
    parts = [f"{name}: {value}" for name, value in said.items() if isinstance(value, str)]
    detail = _text(said, "detail") or _text(said, "title") or ", ".join(parts)
    reasons = said.get("reasons")
    codes = [str(code) for code in reasons] if isinstance(reasons, list) else []
    return Health(ready=answer.status == 200, detail=detail, reasons=codes)


def unexpected(answer: Answer, what: str) -> UnexpectedAnswer:
    """Make the error for an answer that no taskq server gives."""
    return UnexpectedAnswer(
        f"unexpected answer with status {answer.status}: {what}",
        answer.status,
        _request_id(answer, {}),
    )


def _api_error(answer: Answer) -> TaskqError:
    problem = _object(answer)
    if problem is None and answer.status in ABOUT_A_TASK:
        return unexpected(answer, "no problem document; is there a taskq server at the url?")
    problem = problem or {}
    code = _text(problem, "code")
    if answer.status == 404 and not code:
        return unexpected(answer, "a problem without a code; is there a taskq server at the url?")
    error = error_class(answer.status, code)(
        answer.status,
        code,
        _text(problem, "title"),
        _text(problem, "detail"),
        _request_id(answer, problem),
        _field_problems(problem.get("errors")),
        retry_after(answer.headers),
    )
    holder = problem.get("task")
    if isinstance(error, UniqueConflict) and isinstance(holder, dict):
        error.task_id, error.task_status = _text(holder, "id"), _text(holder, "status")
    return error


def _field_problems(entries: object) -> tuple[FieldProblem, ...]:
    return tuple(
        FieldProblem(_text(entry, "pointer"), _text(entry, "code"), _text(entry, "detail"))
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict)
    )


def _request_id(answer: Answer, problem: Mapping[str, object]) -> str | None:
    return _text(problem, "request_id") or answer.headers.get("x-request-id")


def _object(answer: Answer) -> dict[str, object] | None:
    if not _is_json(answer):
        return None
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _is_json(answer: Answer) -> bool:
    return answer.media_type == "application/json" or answer.media_type.endswith("+json")
