"""Updates of tasks by their ids: every change of a task moves its version."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, bindparam, update

from taskq_server.crud.prepared import IdListStatement, is_one_of_ids
from taskq_server.crud.tables import tasks


def update_by_ids(
    *names: str, where: Sequence[ColumnElement[bool]] = (), **values: object
) -> IdListStatement[tuple[Any, ...]]:
    """Return an UPDATE of `names` to parameters of these names, and of `values`."""
    given = {name: bindparam(f"to_{name}", type_=tasks.c[name].type) for name in names}
    statement = update(tasks).where(is_one_of_ids(tasks.c.id), *where)
    changes = {**given, "version": tasks.c.version + 1, **values}
    return IdListStatement(statement.values(changes), tuple)
