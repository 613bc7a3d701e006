"""What idle workers ask of the database: two statements a beat, and the sweeps of one of them."""

from collections import Counter
from collections.abc import Iterator

import pytest

from taskq_server.runtime import Runtime
from tests.integration.api.beating import BEAT, Beating
from tests.integration.api.statements import Statements
from tests.support.mariadb import MariaDBServer

KINDS = ("SELECT", "UPDATE", "INSERT", "DELETE")
SPARE = 12
"""Statements of a sweep that are sometimes there, such as what measures a new minute."""


@pytest.fixture(scope="module")
def mariadb_server() -> Iterator[MariaDBServer]:
    """One of its own, because it counts all that it is asked, by whomever."""
    with MariaDBServer() as server:
        yield server


async def asked_by(runtime: Runtime, number: int, beats: int) -> Counter[str]:
    """What some idle workers ask in a few beats, besides two statements for each beat."""
    beating = Beating(runtime)
    await beating.start(number)
    await beating.passes(BEAT)
    assert {len(holders) for holders in beating.holders.values()} == {1}
    statements = Statements(runtime, *KINDS)
    before = await statements.read()
    await beating.passes(beats * BEAT)
    asked = await statements.read() - before
    asked["statements"] -= 2 * number * beats
    for one in beating.workers:
        await one.stop()
    return asked


async def test_all_sweeps_cost_the_same_whatever_the_number_of_workers(runtime: Runtime) -> None:
    asked = {number: await asked_by(runtime, number, 3) for number in (1, 10, 100)}
    print({number: dict(one) for number, one in asked.items()})
    alone = asked[1]["statements"]
    assert alone > 0
    for number, one in asked.items():
        assert one["statements"] <= alone + SPARE, number
    if asked[100]["sent"]:
        assert asked[100]["received"] / 100 <= asked[10]["received"] / 10


@pytest.mark.timeout(600)
async def test_a_thousand_workers_cost_their_beats(runtime: Runtime) -> None:
    alone = await asked_by(runtime, 1, 1)
    many = await asked_by(runtime, 1_000, 1)
    print(dict(alone), dict(many))
    assert many["statements"] <= alone["statements"] + SPARE
