"""docs/scopes.md, from `api/access.py`: what each scope opens. Tests ask the API for each cell."""

import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, assert_never

from taskq_server.api.access import ACCESS, Access, Foreign
from taskq_server.api.strict_route import StrictRoute
from taskq_server.dashboard.page_route import PageRoute
from taskq_server.domain import scopes
from taskq_server.main import create_app
from tools.docs.http_page import anchor, heading
from tools.docs.markdown import DOCS, table

SCOPES: Mapping[str, str] = {
    scopes.READ: "see all tasks of the namespace, with payload, result and errors",
    scopes.WRITE: "update, delete, cancel and retry any task of the namespace",
    scopes.RUN: "submit to the handlers whose whole name matches what stands behind the colon; "
    "there `*` stands for any characters, and letters are compared as they are",
    scopes.OPERATE: "pause and resume queues, begin and stop bulk operations, set and delete "
    "schedules; to begin an operation or to set a schedule needs another scope besides",
    scopes.METRICS: "read the numbers of tasks and workers",
    scopes.ADMIN: "manage the keys of the namespace; only an operator's key gives scopes that it "
    "has not itself",
}
"""What each scope is for, in the order of the columns."""

HEAD = """\
# Scopes

The scopes of a key say what its callers may do within its namespace, as the tables on this page \
tell.

A key has at least one scope, and what a key may do is what its scopes may do together: none of \
them includes another. Where no key is asked for, everything is allowed.
"""

CELLS = """\
## What each scope opens

A row is an operation, and a column is a key with this scope alone. Tasks that a key has \
submitted are its own, and so are the tasks that their handlers submit; all others are foreign to \
it. Tasks of another namespace do not exist for a key, whatever its scopes are.
"""


class Cell(Enum):
    """What a key with one scope alone gets from an operation; the value says so in the table."""

    NO = "—"
    YES = "yes"
    OWN = "own tasks"
    OUTLINES = "yes, outlines"
    LEFT_OUT = "yes, own tasks"
    WITH_RUN = "with `tasks:run:`"
    WITH_MORE = "with another"
    HANDLERS = "its handlers"
    NO_HANDLERS = "no handlers"
    OPERATOR = "operator's key"


LEGEND: Mapping[Cell, str] = {
    Cell.NO: "403 [forbidden](problems/forbidden.md), whose `errors` name the missing scope",
    Cell.OWN: "foreign tasks are answered with 404, as if they did not exist",
    Cell.OUTLINES: "in the answer, a foreign task has an empty `payload`, no `errors`, and null as "
    "its `result`",
    Cell.LEFT_OUT: "foreign tasks are left out, and so are handlers that its globs do not match",
    Cell.WITH_RUN: f"**{Cell.OUTLINES.value}** for a key that has both scopes, else 403",
    Cell.WITH_MORE: "for a key that also has the scope that the last column names, else 403",
    Cell.OPERATOR: "a key that belongs to no namespace; any other is answered with 403",
    Cell.HANDLERS: "those whose names its globs match",
}


def page() -> str:
    """Return the page."""
    names = [f"`{scope}`" if scope != scopes.RUN else "`tasks:run:…`" for scope in SCOPES]
    meanings = zip(names, SCOPES.values(), strict=True)
    legend = "".join(f"* **{cell.value}**: {said}.\n" for cell, said in LEGEND.items())
    return "\n".join(
        [
            HEAD,
            table(("Scope", "Lets a key"), meanings),
            CELLS,
            legend,
            table(("Operation", "Path", *names, "Besides"), _rows()),
        ]
    )


def cell(access: Access, scope: str) -> Cell:
    """Return what a key with one scope alone gets from an operation.

    Args:
        access: what the operation asks of its caller.
        scope: the scope; `tasks:run:` stands for each scope that begins so.
    """
    if access.any_of and scope not in access.any_of:
        return Cell.NO
    if access.of_operators:
        return Cell.OPERATOR
    if access.runs or access.needs_more:
        return Cell.WITH_RUN if access.runs else Cell.WITH_MORE
    if scope == scopes.READ:
        return Cell.YES
    if access.of_handlers:
        return Cell.HANDLERS if scope == scopes.RUN else Cell.NO_HANDLERS
    match access.foreign:
        case None:
            return Cell.YES
        case Foreign.NOTHING:
            return Cell.OWN
        case Foreign.OUTLINES:
            return Cell.OUTLINES
        case Foreign.LEFT_OUT:
            return Cell.LEFT_OUT
        case _:
            assert_never(access.foreign)


def _path(route: StrictRoute) -> str:
    (method,) = (route.methods or set()) - {"HEAD"}
    return f"`{method} {re.sub(r':[a-z_]+}', '}', route.path)}`"


def _rows() -> Iterator[tuple[str, ...]]:
    routes = {
        route.operation_id or route.name: route
        for route in create_app().routes
        if isinstance(route, StrictRoute) and not isinstance(route, PageRoute)
    }
    titles = _titles()
    for name, access in ACCESS.items():
        path = _path(routes[name]) if name in routes else f"`GET {name}/…`"
        cells = ["yes" if access.is_open else cell(access, scope).value for scope in SCOPES]
        besides = "needs no key" if access.is_open else access.note
        yield titles.get(name, path), path, *cells, besides


def _titles() -> Mapping[str, str]:
    document: dict[str, Any] = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    return {
        operation["operationId"]: f"[{heading(operation)}]({anchor(operation)})"
        for item in document["paths"].values()
        for operation in item.values()
    }
