"""What a viewer may do with several tasks: those of a selection, or all that match."""

from collections import Counter

from taskq_server.api import access
from taskq_server.dashboard.viewer import Viewer
from taskq_server.domain import scopes
from taskq_server.domain.bulk import Action
from taskq_server.domain.task import Status

OPERATIONS = {
    Action.RETRY: "retry",
    Action.CANCEL: "cancel",
    Action.DELETE: "delete",
    Action.UPDATE: "update",
}
"""The API's operation that does with one task what the action does with many."""


def offered_for_each(viewer: Viewer) -> list[Action]:
    """Return the actions that a page offers for single tasks, of whichever handler."""
    return [each for each in Action if viewer.may(OPERATIONS[each]) and _runs_what(viewer, each)]


def offered_for_all(viewer: Viewer) -> list[Action]:
    """Return the actions that a page offers for all tasks that match."""
    return [
        each
        for each in Action
        if viewer.may("bulk") and _runs_what(viewer, each) and (each.runs or _writes(viewer))
    ]


def check_each(viewer: Viewer, action: Action) -> None:
    """Check that a viewer may do something with single tasks.

    Raises:
        PermissionDenied: its key has not the scope.
    """
    if viewer.caller is not None:
        access.of(OPERATIONS[action]).check(viewer.caller)


def fitting(action: Action, by_status: Counter[Status]) -> int:
    """Return how many of some tasks are in a status that allows the action."""
    return sum(number for status, number in by_status.items() if action.fits(status))


def _runs_what(viewer: Viewer, action: Action) -> bool:
    return not action.runs or (viewer.caller is not None and scopes.runs(viewer.caller.scopes))


def _writes(viewer: Viewer) -> bool:
    return viewer.caller is not None and viewer.caller.may(scopes.WRITE)
