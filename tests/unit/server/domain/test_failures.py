"""Failures in groups."""

from uuid import UUID

import pytest

from taskq_server.domain.failures import FailedTask, FailureGroup, FailureGroups, first_line
from taskq_server.domain.task import Status
from tests.unit.server.factories import NOW, seconds


def one(number: int, message: str | None = "m", **changes: object) -> FailedTask:
    """A failed task, the older the higher its number."""
    at = NOW - seconds(number)
    return FailedTask(UUID(int=number), Status.FAILED, "h", at, "E", message)._replace(**changes)


def grouped(newest_first: list[FailedTask]) -> list[FailureGroup]:
    """As they come in two pieces."""
    groups = FailureGroups()
    groups.add(newest_first[:2])
    groups.add(newest_first[2:])
    return groups.largest_first()


def test_equal_failures_are_one_group_whose_example_is_the_newest() -> None:
    found = [one(1), one(2, "m\nand more"), one(3, status=Status.RETRYING)]
    (group,) = grouped(found)
    assert (group.handler, group.error_type, group.first_line) == ("h", "E", "m")
    assert (group.failed, group.retrying) == (2, 1)
    assert (group.example, group.last_at) == (UUID(int=1), NOW - seconds(1))


def test_handler_type_and_first_line_tell_groups_apart_and_the_largest_is_first() -> None:
    found = [one(1, handler="i"), one(2, error_type="F"), one(3, "n"), one(4), one(5)]
    assert [(each.handler, each.error_type, each.first_line) for each in grouped(found)] == [
        ("h", "E", "m"), ("i", "E", "m"), ("h", "F", "m"), ("h", "E", "n"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("", ""),
        ("\n \r\n  second\nthird", "second"),
        ("a\rb", "a"),
        ("x" * 500, "x" * 200),
        ("two  words ", "two  words"),
    ],
)
def test_the_first_line_is_the_first_that_says_something(message: str, line: str) -> None:
    assert first_line(message) == line


def test_what_has_no_error_is_a_group_as_well() -> None:
    (group,) = grouped([one(1, None, error_type=None)])
    assert (group.error_type, group.first_line) == ("", "")
