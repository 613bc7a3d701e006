"""The ledger of tasks, and how it is kept short."""

from typing import Any

import pytest

from taskq_server.core.database import Database
from taskq_server.crud import counts
from taskq_server.crud.tables import task_counts
from taskq_server.domain.counts import Place, entries
from taskq_server.domain.task import Status
from tests.unit.server.factories import rows_of

A: Place = ("default", "a", Status.QUEUED)
B: Place = ("default", "b", Status.FAILED)
OTHER: Place = ("other", "a", Status.QUEUED)


async def enter(database: Database, *places: Place, gone: bool = False) -> None:
    """One transaction for each place."""
    for place in places:
        given: dict[str, Any] = {"before" if gone else "after": [place]}
        await database.write(lambda c, given=given: counts.move(c, **given))  # type: ignore[misc]


async def compact(database: Database, limit: int = 100) -> bool:
    return await database.write(lambda c: counts.compact(c, limit=limit, minute=0))


async def ledger(database: Database) -> list[tuple[str, str, int]]:
    rows = await rows_of(database, task_counts)
    return [(row["namespace"], row["queue"], row["amount"]) for row in rows]


async def test_only_what_changes_is_entered(database: Database) -> None:
    await database.write(lambda c: counts.move(c, before=[A, B], after=[B, A]))
    assert await ledger(database) == []
    await database.write(lambda c: counts.move(c, before=[A, B], after=[B, B, B]))
    assert sorted(await ledger(database)) == [("default", "a", -1), ("default", "b", 2)]


async def test_totals_are_kept_apart_by_namespace(database: Database) -> None:
    await enter(database, A, A, B, OTHER)
    found = (await database.read(counts.everywhere))["default"]
    assert found == {("a", Status.QUEUED): 2, ("b", Status.FAILED): 1}


async def test_rows_are_replaced_by_their_sums(database: Database) -> None:
    await enter(database, A, B, OTHER, A, B, OTHER, A)
    assert not await compact(database)
    assert sorted(await ledger(database)) == [
        ("default", "a", 3), ("default", "b", 2), ("other", "a", 2),
    ]  # fmt: skip


async def test_what_adds_up_to_nothing_is_forgotten(database: Database) -> None:
    await enter(database, A, B)
    await enter(database, A, B, gone=True)
    assert not await compact(database)
    assert await ledger(database) == []
    assert not await compact(database)


async def test_a_ledger_that_is_short_enough_is_left_alone(database: Database) -> None:
    await enter(database, A, A)
    before = await rows_of(database, task_counts)
    assert not await compact(database)
    assert await rows_of(database, task_counts) == before


async def test_a_long_ledger_is_compacted_piece_by_piece(database: Database) -> None:
    await enter(database, *[A] * 25)
    assert await compact(database, limit=10)
    assert len(await ledger(database)) == 16
    while await compact(database, limit=10):
        pass
    assert len(await ledger(database)) <= 4
    assert sum(amount for *_, amount in await ledger(database)) == 25


async def test_many_places_do_not_stand_in_the_way(database: Database) -> None:
    many: list[Place] = [("default", f"q{n}", Status.QUEUED) for n in range(8)]
    await enter(database, *many, *[A] * 20)
    assert not await compact(database, limit=8)  # nothing to sum up in these
    assert await compact(database, limit=8)
    assert len(await ledger(database)) == 21
    found = (await database.read(counts.everywhere))["default"]
    assert found == {("a", Status.QUEUED): 20, **{(q, s): 1 for _, q, s in many}}


async def test_who_was_overtaken_is_told(database: Database) -> None:
    await enter(database, A, A, A)
    with pytest.raises(counts.CompactionConflict):
        await database.write(lambda c: counts.replace(c, [1, 2, 99], entries({A: 3})))
    assert len(await ledger(database)) == 3
