"""The janitor of a running worker keeps the ledger of tasks short."""

import asyncio

from sqlalchemy import func, select

from taskq_server.core.database import Database
from taskq_server.crud.tables import task_counts
from tests.integration.engine.calls import submit
from tests.support.stack import Stack
from tests.support.waiting import wait_until

SUBMITS = 40


async def rows(url: str) -> int:
    database = Database(url)
    try:
        statement = select(func.count()).select_from(task_counts)
        return (await database.read(lambda c: c.execute(statement))).scalar_one()
    finally:
        await database.close()


def test_rows_of_single_submits_are_summed_up(stack: Stack) -> None:
    for number in range(SUBMITS):  # a row for each
        submit(stack, "taskq.echo", {"value": number})
    few = SUBMITS // 2
    wait_until(lambda: asyncio.run(rows(stack.database_url)) < few, 180, "the ledger is short")
