"""Problem details: the body of an error response (RFC 9457)."""

from pydantic import Field

from taskq_server.schemas.fields import Answer
from taskq_server.schemas.task import TaskHolder


class ProblemField(Answer):
    """One broken rule."""

    pointer: str = Field(
        description="RFC 6901, into the body; or `/query/<name>` or `/header/<name>`"
    )
    code: str = Field(description="stable name of the rule")
    detail: str = Field(description="what is wrong, for people")


class Problem(Answer):
    """Why the request was not carried out."""

    type: str = Field(description="`urn:taskq:problem:` and the code")
    title: str = Field(description="the same for every problem with this code")
    status: int = Field(description="the status of the answer", ge=400, le=599)
    detail: str = Field(description="what happened this time, for people")
    instance: str = Field(description="`urn:taskq:request:` and the request's id")
    code: str = Field(description="stable name of the problem, for programs")
    request_id: str = Field(description="also in the header X-Request-Id and in the server's log")
    errors: list[ProblemField] = Field(description="the broken rules, the first 100 of them")
    task: TaskHolder | None = Field(
        None,
        description="of `unique-conflict`: the task that holds the key; null if that is an item of "
        "the same batch",
    )
