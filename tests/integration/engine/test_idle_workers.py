"""What real workers that have nothing to do ask of the database, however many there are."""

import time

import pytest
from sqlalchemy.engine import make_url

from tests.support.mariadb import MariaDBServer
from tests.support.stack import NewStack, Stack
from tests.support.waiting import wait_until

MANY = 10
BEATS = 5
STATEMENTS = "('COM_SELECT', 'COM_UPDATE', 'COM_INSERT', 'COM_DELETE')"
SETTINGS = {"TASKQ_LEASE_SECONDS": "10", "TASKQ_BUILTIN_HANDLERS": "true"}


class Meter:
    """Reads how often the workers of a stack have beaten, and what the server was asked."""

    def __init__(self, server: MariaDBServer, stack: Stack) -> None:
        self._server = server
        self._database = make_url(stack.database_url).database

    def beats(self) -> int:
        return self._number("SELECT COALESCE(SUM(beats), 0) FROM {}.workers")

    def workers_that_beat(self) -> int:
        return self._number("SELECT COUNT(*) FROM {}.workers WHERE beats > 2")

    def statements(self) -> int:
        return self._number(
            "SELECT SUM(variable_value) FROM information_schema.global_status"
            f" WHERE variable_name IN {STATEMENTS}"
        )

    def _number(self, sql: str) -> int:
        return int(self._server.sql(sql.format(self._database)))


def others_a_second(meter: Meter, number: int) -> float:
    """The statements a second that belong to no beat, while each worker beats a few times."""
    wait_until(lambda: meter.workers_that_beat() >= number, 240, f"{number} workers beat")
    began, beats, statements = time.monotonic(), meter.beats(), meter.statements()
    enough = beats + BEATS * number
    asked = 1

    def have_beaten() -> bool:
        nonlocal asked
        asked += 1
        return meter.beats() >= enough

    wait_until(have_beaten, 120, "they beat", 0.5)
    more = meter.statements() - statements - asked - 2 * (meter.beats() - beats)
    return more / (time.monotonic() - began)


@pytest.mark.timeout(600)
def test_ten_workers_ask_no_more_than_one_but_for_their_beats(
    new_stack: NewStack, mariadb_server: MariaDBServer
) -> None:
    stack = new_stack("mariadb", settings=SETTINGS)
    meter = Meter(mariadb_server, stack)
    alone = others_a_second(meter, 1)
    for _ in range(MANY - 1):
        stack.start_worker()
    many = others_a_second(meter, MANY)
    print(
        f"\nbesides two statements a beat: {alone:.1f} a second of 1 worker, {many:.1f} of {MANY}"
    )
    assert many <= alone * 1.3 + 1
