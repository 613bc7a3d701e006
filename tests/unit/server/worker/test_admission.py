"""What a worker does with attempts that it has no room for."""

import asyncio
from collections.abc import Sequence

import pytest

from taskq_server.domain.admission import Gate, NotNow, due_of
from taskq_server.domain.deferrals import FIRST_PAUSE_SECONDS
from taskq_server.domain.task import Due, Task
from taskq_server.services.attempts import Claim
from taskq_server.worker.admission import Admission
from taskq_server.worker.doorbells import Arguments
from tests.unit.server.factories import make_task, running
from tests.unit.server.worker.attempts import until

TASK = make_task(lost_count=2, attempt=2)
BELL: Arguments = (str(TASK.id), 3)


class Worker:
    """Has as much room as a test says, and notes what it rings for."""

    def __init__(self) -> None:
        self.room = 0
        self.rung: list[Due] = []
        self.admission = Admission({Gate.QUARANTINE: lambda: self.room}, self.ring)

    def ring(self, waiting: Sequence[Due]) -> None:
        self.rung += waiting

    def refuse(self, task: Task = TASK, gate: Gate = Gate.QUARANTINE) -> None:
        self.admission.answered(task.id, task.attempt + 1, NotNow(gate, due_of(task)))


@pytest.fixture
def worker() -> Worker:
    """With one attempt that was refused."""
    made = Worker()
    made.refuse()
    return made


def test_what_was_refused_is_started_once_there_is_room(worker: Worker) -> None:
    assert worker.admission.ready(10) == []
    worker.room = 1
    assert worker.admission.ready(0) == [], "no slot"
    assert worker.admission.ready(10) == [BELL]
    assert worker.admission.ready(10) == [], "it is asked for"


def test_room_is_first_of_all_for_what_waits_here(worker: Worker) -> None:
    worker.room = 1
    assert not worker.admission.has_room(Gate.QUARANTINE)
    worker.admission.answered(TASK.id, 3, Claim(running(id=TASK.id, attempt=3)))
    assert worker.admission.has_room(Gate.QUARANTINE)
    worker.room = 0
    assert not worker.admission.has_room(Gate.QUARANTINE)


def test_what_another_worker_has_is_forgotten(worker: Worker) -> None:
    worker.admission.answered(TASK.id, 3, None)
    worker.room = 1
    assert worker.admission.ready(10) == []


def test_what_is_rung_for_aside_is_not_kept() -> None:
    worker = Worker()
    worker.refuse(gate=Gate.THREAD)
    worker.admission.give_up()
    assert worker.rung == []


async def test_others_are_rung_for_and_the_own_ring_is_no_news(worker: Worker) -> None:
    assert worker.admission.admits(BELL), "somebody else rang"
    ringing = asyncio.create_task(worker.admission.ring_for_ever())
    await until(lambda: bool(worker.rung), seconds=FIRST_PAUSE_SECONDS + 30)
    ringing.cancel()
    assert worker.rung == [due_of(TASK)]
    assert not worker.admission.admits(BELL)
    assert worker.admission.admits((str(TASK.id), 4)), "another attempt is"


def test_a_worker_that_stops_rings_at_once(worker: Worker) -> None:
    worker.admission.give_up()
    assert worker.rung == [due_of(TASK)]
