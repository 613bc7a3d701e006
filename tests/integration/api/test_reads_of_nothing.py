"""What a caller does not see takes as many reads as what does not exist."""

from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event

from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import TaskNotFound
from taskq_server.runtime import Runtime
from tests.integration.api.keys import make_key
from tests.integration.api.scoped import make_succeeded, task_of
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.api.test_work import AtMariaDB
from tests.support.callers import CALLER

Said = Callable[[], list[str]]
"""Returns the reads of tasks since the last call."""


@pytest.fixture
def said(request: pytest.FixtureRequest, runtime: Runtime) -> Iterator[Said]:
    if runtime.database.dialect.one_writer:
        heard: list[str] = []
        engine = runtime.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", lambda *a: heard.append(a[2]))

        def at_sqlite() -> list[str]:
            found = [one for one in heard if "task" in one]
            heard.clear()
            return found

        yield at_sqlite
        return
    server = request.getfixturevalue("mariadb_server")
    log = AtMariaDB(server, str(runtime.database.engine.url.database))
    log.start()

    def at_mariadb() -> list[str]:
        log.said()
        found = log.read("REPLACE(argument, '\\n', ' ')", "argument LIKE 'SELECT%FROM task%'")
        log.start()
        return found

    yield at_mariadb
    log.said()


@pytest.mark.parametrize("of", ["another key", "another namespace"])
async def test_no_read_more(runtime: Runtime, worker: ScriptedWorker, said: Said, of: str) -> None:
    owner = await make_key(runtime, "tasks:run:*")
    theirs = str(await task_of(runtime, owner))
    await make_succeeded(runtime, worker, theirs)  # it has tags, and attempts
    if of == "another key":
        caller = Caller("default", frozenset({"tasks:run:*"}), key_id="A" * 12)
    else:
        caller = Caller("theirs")

    async def reads(who: Caller, task_id: UUID) -> list[str]:
        said()
        try:
            await runtime.read.get(who, task_id)
        except TaskNotFound:
            return said()
        pytest.fail("the caller sees the task")

    async def of_those_who_see_it() -> int:
        said()
        await runtime.read.get(CALLER, UUID(theirs))
        return len(said())

    unknown = await reads(caller, uuid4())
    foreign = await reads(caller, UUID(theirs))
    assert len(unknown) == len(foreign) == 1
    # What is read and dropped would take longer, the longer its payload is.
    _, _, condition = foreign[0].partition("WHERE")
    assert ("submitted_by" in condition) == (of == "another key")
    assert await of_those_who_see_it() == 3
