"""Handlers around whose call something goes wrong: in the payload, the error, or the result."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, model_serializer

from taskq_server import Fatal, handler, on_job_failure
from taskq_server.handlers import TaskEvent
from tests.support.odd_errors import AFTER, ODD, Silent, WhoKnows, fail

NOTES = "TASKQ_TEST_NOTES"


def no_kind() -> str:
    """Break."""
    return fail("KeyError")


class Checked(BaseModel):
    """Looks at itself once it is made."""

    kind: str
    made: str = Field(default_factory=lambda: "made")

    def model_post_init(self, _: object) -> None:
        """Break."""
        fail(self.kind)


@handler("around.validator")
async def validator(kind: Annotated[str, AfterValidator(fail)]) -> str:
    """Have a validator that breaks."""
    return kind


@handler("around.thread_validator")
def thread_validator(kind: Annotated[str, AfterValidator(fail)]) -> str:
    """Have a validator that breaks, and run in a thread."""
    return kind


@handler("around.default")
async def default(kind: Annotated[str, Field(default_factory=no_kind)]) -> str:
    """Have a default that cannot be made."""
    return kind


@handler("around.model")
async def model(checked: Checked) -> str:
    """Take a model that breaks once it is made."""
    return checked.kind


@handler("around.error")
async def odd_error(kind: str) -> None:
    """Raise something odd."""
    raise (ODD | AFTER)[kind]()


@handler("around.thread_error")
def odd_error_in_thread(kind: str) -> None:
    """Raise something odd in a thread."""
    raise (ODD | AFTER)[kind]()


@handler("around.raised")
async def raised(kind: str) -> None:
    """Raise what is no odd thing, but no usual one either."""
    fail(kind)


@handler("around.thread_raised")
def raised_in_thread(kind: str) -> None:
    """Raise it in a thread."""
    fail(kind)


class Unwritable(BaseModel):
    """Breaks when it is written."""

    kind: str

    @model_serializer
    def write(self) -> str:
        """Break."""
        return fail(self.kind)


def steps(kind: str) -> Iterator[int]:
    """Break at the second step."""
    yield 1
    fail(kind)


@handler("around.unwritable")
async def unwritable(kind: str) -> Unwritable:
    """Answer what breaks when it is written."""
    return Unwritable(kind=kind)


@handler("around.steps")
async def broken_steps(kind: str) -> Any:
    """Answer what breaks half way."""
    return steps(kind)


@handler("around.fatal")
async def fatal() -> None:
    """Fail for good, without words."""

    class Mute(Fatal):
        __str__ = Silent.__str__

    raise Mute


@handler("around.picky", retry_on=[WhoKnows, ConnectionError])
async def picky() -> None:
    """Have a policy that cannot say what it is for."""
    raise ValueError("broken")


@handler("around.listed", retry_on=[ConnectionError])
async def listed(other: bool = False) -> None:
    """Say in a list what is worth a retry."""
    raise ValueError("broken") if other else ConnectionError("broken")


@on_job_failure
def note(event: TaskEvent) -> None:
    """Write down what failed for good."""
    if file := os.environ.get(NOTES):
        with Path(file).open("a", encoding="ascii") as notes:
            notes.write(f"{event.task_id}\n")
