"""From bytes to models and errors: whatever comes back leaves as a type of this package."""

import json
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from taskq_client._channels import Answer
from taskq_client.errors import FieldProblem, TaskqError, UnexpectedAnswer, error_class
from taskq_client.models import Health
from taskq_client.retry import retry_after

# A proxy answers 502 or 413 for itself, but only the server can say that a task does not exist.
ABOUT_A_TASK = frozenset({404, 409, 412, 422})

ModelT = TypeVar("ModelT", bound=BaseModel)


def decode(answer: Answer, model: type[ModelT]) -> ModelT:
    """Read the body of a success."""
    if not _is_json(answer):
        raise unexpected(
            answer, f"{answer.headers.get('content-type', 'no content type')!r} instead of JSON"
        )
    try:
        return model.model_validate_json(answer.body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise unexpected(answer, f"{first['msg']} at {where or 'its start'}") from None


def check(answer: Answer) -> None:
    """Raise the error that an answer is, if it is one."""
    if 200 <= answer.status < 300:
        return
    if answer.status < 400:
        target = answer.headers.get("location", "nowhere")
        raise unexpected(answer, f"a redirect to {target}; set the url to where the server is")
    raise _api_error(answer)


def health(answer: Answer) -> Health:
    """Read an answer of `/readyz`, whatever its status."""
    said = _object(answer)
    if said is None:
        return Health(ready=False, detail=f"{answer.status} without JSON: not a taskq server")
    parts = [f"{name}: {value}" for name, value in said.items() if isinstance(value, str)]
    detail = _text(said, "detail") or _text(said, "title") or ", ".join(parts)
    return Health(ready=answer.status == 200, detail=detail)


def unexpected(answer: Answer, what: str) -> UnexpectedAnswer:
    """Make the error for an answer that no taskq server gives."""
    return UnexpectedAnswer(
        f"unexpected answer with status {answer.status}: {what}",
        answer.status,
        _request_id(answer, {}),
    )


def _api_error(answer: Answer) -> TaskqError:
    problem = _object(answer)
    if problem is None:
        if answer.status in ABOUT_A_TASK:
            return unexpected(answer, "no problem document; is there a taskq server at the url?")
        problem = {}
    code = _text(problem, "code")
    return error_class(answer.status, code)(
        answer.status,
        code,
        _text(problem, "title"),
        _text(problem, "detail"),
        _request_id(answer, problem),
        _field_problems(problem.get("errors")),
        retry_after(answer.headers),
    )


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
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")
