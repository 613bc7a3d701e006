"""Migrate the schema step by step, so that an interrupted migration can be run again.

The recorded revision is complete, and parts of the next one may exist. So a step up is recorded
after it, and a step down before it; a downgrade begins with the parts of the next revision; and
each step tolerates parts that exist already or are gone.

On SQLite a migration is one transaction. MySQL commits, the record included, before each statement
that changes a table.
"""

import re
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection

from taskq_server.domain.errors import ConfigurationError
from taskq_server.migrations.record import has_begun, record, recorded

_TARGET = re.compile(r"(\w*)([+-]\d{1,4})?")


def up(connection: Connection, target: str) -> None:
    """Apply the revisions up to `target`; do nothing if the schema is newer."""
    history = _history()
    here = _here(connection, history)
    there = _place(target, here, history)
    if here == there:
        down(connection, target)
        return
    if not has_begun(connection):
        record(connection, None)
    with Operations.context(MigrationContext.configure(connection)):
        for script in history[here:there]:
            script.module.upgrade()
            record(connection, script.revision)


def down(connection: Connection, target: str) -> None:
    """Revert the revisions above `target`, and the parts of an incomplete next one."""
    history = _history()
    here = _here(connection, history)
    there = _place(target, here, history)
    if there > here:
        raise ConfigurationError(f"the way to {target} is up: run `taskq-server db upgrade`")
    if not has_begun(connection):
        return  # tables of these names belong to another application
    with Operations.context(MigrationContext.configure(connection)):
        for place in range(min(here + 1, len(history)), there, -1):
            record(connection, history[place - 2].revision if place > 1 else None)
            history[place - 1].module.downgrade()


def _history() -> list[Script]:
    return list(ScriptDirectory(str(Path(__file__).parent)).walk_revisions())[::-1]


def _here(connection: Connection, history: list[Script]) -> int:
    """Return the number of complete revisions in the database."""
    found = recorded(connection)
    for place, script in enumerate(history, 1):
        if script.revision == found:
            return place
    if found is None:
        return 0
    raise ConfigurationError(
        f"the database is at revision {found}, which this version of taskq-server does not know: "
        "use the one that moved it there"
    )


def _place(target: str, here: int, history: list[Script]) -> int:
    """Return the number of revisions up to `target`."""
    places = {script.revision: place for place, script in enumerate(history, 1)}
    places |= {"": here, "base": 0, "head": len(history)}
    match = _TARGET.fullmatch(target)
    if target and match and match[1] in places:
        place = places[match[1]] + int(match[2] or 0)
        if 0 <= place <= len(history):
            return place
    raise ConfigurationError(
        f"there is no revision {target!r}: say one from {history[0].revision} to "
        f"{history[-1].revision}, base, head, or how many steps, such as +1"
    )
