"""Whatever comes back, it becomes an error of the tree, and the error travels."""

import inspect
import pickle

import pytest

from taskq_client import errors
from taskq_client._channels import Answer, finish
from taskq_client.bulk import BulkOperation
from taskq_client.errors import (
    BadRequest,
    Conflict,
    FieldProblem,
    IdempotencyMismatch,
    InvalidTransition,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    PreconditionFailed,
    RateLimited,
    ServerError,
    TaskqAPIError,
    TaskqError,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    UniqueConflict,
    UnknownHandler,
    UnknownPath,
    ValidationFailed,
)
from tests.unit.client.support import a_task, answer, core, problem, wire_task

HTML = Answer(502, {"content-type": "text/html"}, b"<html>Bad gateway</html>")


def error_of(reply: Answer) -> TaskqError:
    client, _ = core(reply, max_retries=0)
    with pytest.raises(TaskqError) as caught:
        finish(client.tasks.get("0198c0de"))
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "malformed", BadRequest),
        (401, "unauthenticated", Unauthenticated),
        (403, "forbidden", PermissionDenied),
        (404, "task-not-found", NotFound),
        (404, "not-found", UnknownPath),
        (404, "from-the-future", NotFound),
        (405, "method-not-allowed", TaskqAPIError),
        (408, "", TaskqAPIError),
        (409, "invalid-transition", InvalidTransition),
        (409, "unique-conflict", UniqueConflict),
        (409, "from-the-future", Conflict),
        (412, "precondition-failed", PreconditionFailed),
        (413, "payload-too-large", PayloadTooLarge),
        (422, "validation-failed", ValidationFailed),
        (422, "unknown-handler", UnknownHandler),
        (422, "idempotency-mismatch", IdempotencyMismatch),
        (429, "rate-limited", RateLimited),
        (500, "internal", ServerError),
        (502, "", Unavailable),
        (503, "unavailable", Unavailable),
        (504, "", Unavailable),
        (599, "from-the-future", ServerError),
    ],
)
def test_the_code_chooses_the_class_else_the_status(
    status: int, code: str, kind: type[TaskqAPIError]
) -> None:
    error = error_of(problem(status, code))

    assert type(error) is kind
    assert isinstance(error, TaskqAPIError)
    assert (error.status, error.code) == (status, code)


def test_an_error_has_all_that_the_problem_document_says() -> None:
    error = error_of(
        problem(
            422,
            "validation-failed",
            title="The payload does not fit",
            detail="1 value does not fit the handler.",
            request_id="r-1",
            errors=[{"pointer": "/payload/month", "code": "missing", "detail": "Field required"}],
        )
    )

    assert isinstance(error, ValidationFailed)
    assert (error.title, error.request_id) == ("The payload does not fit", "r-1")
    assert error.errors == (FieldProblem("/payload/month", "missing", "Field required"),)
    assert str(error) == (
        "1 value does not fit the handler "
        "(422 validation-failed; /payload/month: Field required; request r-1)"
    )


@pytest.mark.parametrize(
    ("said", "holder"),
    [
        ({"task": {"id": "0198c0de", "status": "running"}}, ("0198c0de", "running")),
        ({"task": {"id": "0198c0de"}}, ("0198c0de", "")),
        ({"task": {"id": 1, "status": None}}, ("", "")),
        ({"task": "0198c0de"}, ("", "")),
        ({}, ("", "")),
    ],
)
def test_a_taken_key_says_which_task_has_it(
    said: dict[str, object], holder: tuple[str, str]
) -> None:
    error = error_of(problem(409, "unique-conflict", detail="no", **said))

    for one in (error, pickle.loads(pickle.dumps(error))):
        assert isinstance(one, UniqueConflict)
        assert (one.task_id, one.task_status) == holder
        assert (one.status, one.code, one.detail) == (409, "unique-conflict", "no")


def test_an_error_does_not_say_the_same_twice() -> None:
    errors = [{"pointer": "/title", "code": "too-long", "detail": "The title is too long."}]

    error = error_of(problem(422, detail="The title is too long.", errors=errors))

    assert str(error) == "The title is too long (422; /title)"


def test_a_key_that_may_not_says_which_scopes_it_lacks() -> None:
    lacks = [
        {"pointer": pointer, "code": code, "detail": detail}
        for pointer, code, detail in (
            ("/items/0/handler", "missing-scope", "tasks:run:reports.build"),
            ("/items/1/handler", "missing-scope", "tasks:run:reports.build"),
            ("/header/authorization", "missing-scope", "tasks:read or metrics:read"),
            ("/header/authorization", "from-the-future", "x"),
        )
    ]
    error = error_of(problem(403, "forbidden", detail="no", errors=lacks))

    assert isinstance(error, PermissionDenied)
    assert error.missing_scopes == ("tasks:run:reports.build", "tasks:read or metrics:read")
    nothing_said = error_of(Answer(403, HTML.headers, HTML.body))
    assert isinstance(nothing_said, PermissionDenied)
    assert nothing_said.missing_scopes == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"errors": "none"},
        {"errors": [1, {"pointer": 5}]},
        {"detail": ["x"], "title": None, "request_id": 4},
    ],
)
def test_a_strange_problem_document_is_still_an_error_of_its_status(fields) -> None:  # type: ignore[no-untyped-def]
    assert type(error_of(problem(422, **fields))) is ValidationFailed


def test_the_request_id_is_also_taken_from_the_header() -> None:
    error = error_of(answer(500, {}, x_request_id="r-2"))

    assert isinstance(error, ServerError)
    assert error.request_id == "r-2"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequest),
        (401, Unauthenticated),
        (403, PermissionDenied),
        (413, PayloadTooLarge),
        (429, RateLimited),
    ],
)
def test_a_proxy_may_refuse_for_itself(status: int, kind: type[TaskqAPIError]) -> None:
    error = error_of(Answer(status, HTML.headers, HTML.body))

    assert type(error) is kind
    assert str(error) == f"the server refused the request ({status})"


@pytest.mark.parametrize("status", [404, 409, 412, 422])
def test_only_a_taskq_server_can_speak_about_a_task(status: int) -> None:
    error = error_of(Answer(status, HTML.headers, HTML.body))

    assert isinstance(error, UnexpectedAnswer)
    assert error.status == status


def test_another_server_does_not_know_that_there_is_no_such_task() -> None:
    error = error_of(answer(404, {"detail": "Not Found"}))

    assert isinstance(error, UnexpectedAnswer)
    assert "is there a taskq server at the url?" in str(error)


def test_a_wrong_path_is_never_a_task_that_is_gone() -> None:
    assert not issubclass(UnknownPath, NotFound)
    gone = problem(404, "not-found", detail="nothing is served under this path")
    client, _ = core(problem(502), gone)

    with pytest.raises(UnknownPath, match="nothing is served under this path"):
        finish(client.tasks.delete("0198c0de"))


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Answer(200, {"content-type": "text/html"}, b"<html>"), "'text/html' instead of JSON"),
        (Answer(200, {}, b"{}"), "'no content type' instead of JSON"),
        (answer(200, [1]), "at its start"),
        (answer(200, {"id": "x"}), "Field required at handler"),
        (answer(200, wire_task(created_at="yesterday")), "at created_at"),
        (Answer(200, {"content-type": "application/json"}, b'{"id": "0198'), "Invalid JSON"),
        (Answer(200, {"content-type": "application/json"}, b"\xff"), "at its start"),
        (Answer(302, {"location": "https://login"}, b""), "a redirect to https://login"),
        (Answer(304, {}, b""), "a redirect to nowhere"),
    ],
)
def test_what_no_taskq_server_sends_is_an_unexpected_answer(reply: Answer, message: str) -> None:
    error = error_of(reply)

    assert isinstance(error, UnexpectedAnswer)
    assert error.status == reply.status
    assert message in str(error)


def test_a_broken_problem_document_counts_as_none() -> None:
    cut = Answer(503, {"content-type": "application/problem+json"}, b'{"code": "unav')
    deep = Answer(500, {"content-type": "application/json"}, b"[" * 200_000)

    assert type(error_of(cut)) is Unavailable
    assert type(error_of(deep)) is ServerError


TREE = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, TaskqError)
]


def example(kind: type[TaskqError]) -> TaskqError:
    if issubclass(kind, TaskqAPIError):
        fields = (FieldProblem("/title", "too-long", "Too long"),)
        return kind(422, "code", "title", "detail", "r-1", fields, 3.0)
    if issubclass(kind, UnexpectedAnswer):
        return kind("strange", 200, "r-1")
    if kind in (errors.TaskFailed, errors.TaskCancelled, errors.WaitTimeout):
        return kind(a_task())
    if kind is errors.BulkTimeout:
        return kind(BulkOperation.model_validate(BULK))
    if kind is errors.UnexpectedResult:
        return kind(a_task(), "no number at rows")
    return kind("text")


BULK = {
    "id": "b-1",
    "action": "retry",
    "limit": 5,
    "state": "running",
    "matched": 3,
    "created_at": "2026-10-01T12:00:00Z",
}


@pytest.mark.parametrize("kind", TREE)
def test_every_error_survives_a_pickle(kind: type[TaskqError]) -> None:
    error = example(kind)

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is kind
    assert str(copy) == str(error) != ""
    assert vars(copy) == vars(error)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    lines = [line[4:] for line in (errors.__doc__ or "").splitlines() if line.startswith("    ")]
    parents: list[str] = []
    drawn: dict[str, str] = {}
    for line in lines:
        name = line.lstrip("│├└─ ").split()[0]
        depth = (len(line) - len(line.lstrip("│├└─ "))) // 4
        parents[depth:] = [name]
        drawn[name] = parents[depth - 1] if depth else "Exception"

    assert drawn == {kind.__name__: kind.__bases__[0].__name__ for kind in TREE}


def test_the_errors_about_a_task_say_which_and_why() -> None:
    failure = {"attempt": 3, "outcome": "failed", "type": "ValueError", "message": "boom"}
    failed = a_task(status="failed", attempt=3, errors=[failure])

    assert str(errors.TaskFailed(failed)) == (
        "task 0198c0de (reports.build) failed in attempt 3: ValueError: boom"
    )
    assert str(errors.TaskFailed(a_task())).endswith("failed in attempt 0")
    assert str(errors.TaskCancelled(a_task())) == "task 0198c0de (reports.build) was cancelled"
    late = errors.BulkTimeout(BulkOperation.model_validate(BULK))
    assert str(late) == "bulk operation b-1 (retry) is still running, 3 tasks so far"
    assert str(errors.WaitTimeout(a_task())) == "task 0198c0de (reports.build) is still queued"
