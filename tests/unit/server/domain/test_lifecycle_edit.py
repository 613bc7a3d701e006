"""What a person may change, by field and by status."""

from typing import Any

import pytest

from taskq_server.domain import lifecycle
from taskq_server.domain.errors import IllegalTransition
from taskq_server.domain.requests import Edit
from taskq_server.domain.task import Priority, Status, score
from tests.unit.server.factories import NOW, make_task, seconds

LATER = NOW + seconds(60)
SOON = NOW + seconds(600)

ALWAYS = frozenset(Status)
UNTIL_FINAL = ALWAYS - {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}
WAITING = frozenset({Status.QUEUED, Status.RETRYING})

FIELDS: dict[str, tuple[Any, frozenset[Status]]] = {
    "title": ("new", ALWAYS),
    "description": ("new", ALWAYS),
    "priority": (Priority.URGENT, UNTIL_FINAL),
    "max_retries": (9, UNTIL_FINAL),
    "timeout_seconds": (9.5, UNTIL_FINAL),
    "run_at": (SOON, WAITING),
}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("name", FIELDS)
def test_every_field_in_every_status(name: str, status: Status) -> None:
    value, allowed = FIELDS[name]
    before = make_task(status)
    changes = Edit(**{"given": frozenset({name}), name: value})

    if status not in allowed:
        with pytest.raises(IllegalTransition, match=name):
            lifecycle.edit(before, changes, now=LATER)
        return

    after = lifecycle.edit(before, changes, now=LATER)
    assert getattr(after, name) == value
    assert (after.version, after.updated_at) == (before.version + 1, LATER)
    assert after.status is status
    untouched = set(FIELDS) - {name}
    assert {n: getattr(after, n) for n in untouched} == {n: getattr(before, n) for n in untouched}
    assert (after.score is not None) == status.waiting


def test_one_field_past_changing_refuses_all() -> None:
    changes = Edit(given=frozenset({"title", "priority"}), title="x")
    with pytest.raises(IllegalTransition, match="priority: the task is failed"):
        lifecycle.edit(make_task(Status.FAILED), changes, now=LATER)


@pytest.mark.parametrize("status", sorted(WAITING))
def test_priority_and_time_move_a_waiting_task_in_its_queue(status: Status) -> None:
    before = make_task(status, run_at=NOW)
    changes = Edit(given=frozenset({"priority"}), priority=Priority.URGENT)
    assert lifecycle.edit(before, changes, now=LATER).score == score(NOW, Priority.URGENT)

    changes = Edit(given=frozenset({"run_at"}), run_at=SOON)
    assert lifecycle.edit(before, changes, now=LATER).score == score(SOON, Priority.NORMAL)


@pytest.mark.parametrize("status", sorted(WAITING))
def test_run_at_null_means_now(status: Status) -> None:
    before = make_task(status, run_at=SOON)
    after = lifecycle.edit(before, Edit(given=frozenset({"run_at"})), now=LATER)
    assert after.run_at == LATER
    assert after.score == score(LATER, before.priority)


def test_what_is_not_given_is_not_reset() -> None:
    before = make_task(description="kept", priority=Priority.HIGH, max_retries=7, run_at=SOON)
    after = lifecycle.edit(before, Edit(given=frozenset({"title"}), title="new"), now=LATER)
    assert (after.description, after.priority, after.max_retries) == ("kept", Priority.HIGH, 7)
    assert (after.run_at, after.score) == (SOON, before.score)


def test_description_can_be_removed() -> None:
    before = make_task(description="old")
    after = lifecycle.edit(before, Edit(given=frozenset({"description"})), now=LATER)
    assert after.description is None
