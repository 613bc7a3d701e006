"""`taskq-server handlers list` and `prune`: what workers have published, and who uses it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from click import unstyle
from sqlalchemy import update

from taskq_server.cli._use_view import listed
from taskq_server.core.database import Database
from taskq_server.crud.tables import handlers
from taskq_server.services.handler_use import HandlerUse
from tests.unit.server.cli.screen_files import compare, shown
from tests.unit.server.factories import publish

AT = datetime(2026, 11, 26, tzinfo=UTC)
USES = [
    HandlerUse(namespace=namespace, name=name, seen_at=AT, workers=workers, kept_for=because)
    for namespace, name, workers, because in (
        ("default", "reports.build", 12, "live workers"),
        ("default", "reports.old", 0, ""),
        ("default", "reports.recent", 0, "recent use"),
        ("default", "reports.waited_for", 0, "tasks"),
        ("n" * 64, "h" * 128, 0, ""),
    )
]


@pytest.mark.parametrize("columns", [60, 80])
def test_the_list_fits_the_terminal(columns: int) -> None:
    compare(unstyle(listed(USES, columns)) + "\n", "published", columns)


async def _publish(url: str) -> None:
    database = Database(url)
    await publish(database, "old", "new")
    now = await database.now()
    for name, days in (("old", 31), ("new", 29)):
        seen = update(handlers).where(handlers.c.name == name)
        await database.write(
            lambda c, seen=seen, days=days: c.execute(  # type: ignore[misc]
                seen.values(seen_at=now - timedelta(days=days))
            )
        )
    await database.close()


def test_what_nobody_uses_is_removed_if_the_operator_says_so(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKQ_DATABASE_URL", url)
    assert "has published a handler" in shown("handlers", "list").stderr
    assert json.loads(shown("handlers", "list", "--json").stdout) == []
    asyncio.run(_publish(url))
    new, old = json.loads(shown("handlers", "list", "--json").stdout)
    assert (new["name"], new["prunable"], new["kept_for"]) == (
        "new",
        False,
        "recent use",
    )
    assert (old["name"], old["prunable"], old["workers"]) == ("old", True, 0)
    assert "2 handlers, 1 of them may be removed" in shown("handlers", "list").stdout

    refused = shown("handlers", "prune")
    assert refused.stdout.startswith("old of namespace default, last seen ")
    assert "say --yes" in str(refused.exception)
    assert len(json.loads(shown("handlers", "list", "--json").stdout)) == 2

    done = shown("handlers", "prune", "--yes").stdout
    assert done.startswith("removed old of namespace default, last seen ")
    assert [one["name"] for one in json.loads(shown("handlers", "list", "--json").stdout)] == [
        "new"
    ]
    assert "nothing to remove" in shown("handlers", "prune", "--yes").stdout
