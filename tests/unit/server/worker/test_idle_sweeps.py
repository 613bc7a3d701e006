"""What a worker asks the database and Redis while nothing happens: 200 namespaces cost as one."""

import asyncio
from collections.abc import Mapping, Sequence

from sqlalchemy import event

from taskq_server.core.config import Settings
from taskq_server.domain.task import Queue
from taskq_server.handlers.registry import Place, Registry
from taskq_server.runtime import Runtime
from taskq_server.services.declared_sweep import DeclaredSweep
from taskq_server.services.maintenance import Maintenance
from taskq_server.services.sweeps import SweepService
from taskq_server.worker.arq_worker import Heads
from taskq_server.worker.hooks.runner import Hooks
from taskq_server.worker.janitor import Janitor
from taskq_server.worker.paused import PausedQueues
from taskq_server.worker.shares import Shares
from taskq_server.worker.vanished import Vanished
from tests.support.callers import CALLER
from tests.support.namespaces import make_namespaces
from tests.unit.server.factories import make_task, seconds, store

MANY = [f"n{number:03}" for number in range(200)]
HANDLERS = {Place.LOOP: ["taskq.echo"], Place.THREAD: ["b"], Place.PROCESS: []}


class Sweeps:
    """The sweeps of a worker that serves all namespaces, or some."""

    def __init__(
        self,
        runtime: Runtime,
        serves: Sequence[str],
        names: Sequence[str],
        *,
        handlers: Mapping[Place, Sequence[str]] = HANDLERS,
        has_room: bool = True,
    ) -> None:
        self._runtime = runtime
        self.is_full = False
        self.asked: list[Queue] = []
        self.started: list[str] = []
        attempts = runtime.attempts(has_failure_hooks=True)
        tracing = runtime.tracing
        hooks = Hooks(attempts, Registry({}), serves, runtime.clock, tracing, 1.0, lambda: None)
        self.paused = PausedQueues(["default"], runtime.queues.paused)
        maintenance = Maintenance(
            runtime.database,
            runtime.clock,
            attempts,
            runtime.dispatcher,
            on_paused=self.paused.note,
        )
        self._janitor = Janitor(
            Settings(namespaces=tuple(serves)),
            maintenance,
            vanished=Vanished(maintenance, serves, 10.0),
            served=[],
            handlers=handlers,
            namespaces=lambda: names,
            heads=self._heads,
            takes_bells=self._takes_bells,
            has_room=lambda _: has_room,
            start=lambda staged: self.started.extend(one.namespace for one in staged),
            replay_hooks=hooks.replay,
            fire=runtime.firing.sweep,
            bulk=runtime.bulk_work.sweep,
            declared=DeclaredSweep(runtime.database, runtime.clock, 10).sweep,
            measure=hooks.replay,
            paused=self.paused,
        )
        self._replay = hooks.replay
        self._fire = runtime.firing.sweep
        self._bulk = runtime.bulk_work.sweep

    async def _heads(self, queues: Sequence[Queue]) -> dict[Queue, Heads]:
        self.asked.extend(queues)
        return {queue: Heads(None, None) for queue in queues}

    async def _takes_bells(self) -> bool:
        return not self.is_full

    async def sweep_as_one_of_many(self) -> None:
        """Do what a worker does that takes care of nothing."""
        service = SweepService(self._runtime.database, self._runtime.clock)
        await self._janitor.once(Shares(service, [], 10.0, lambda: None))

    async def sweep(self) -> None:
        await self._janitor.rescue()
        await self._janitor.stage()
        await self._replay()
        await self._fire()
        await self._bulk()
        await self._janitor.tidy()


async def statements(runtime: Runtime, sweeps: Sweeps) -> int:
    said: list[str] = []

    def note(*arguments: object) -> None:
        said.append(str(arguments[2]))

    engine = runtime.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    await sweeps.sweep()
    event.remove(engine, "before_cursor_execute", note)
    return len([one for one in said if not one.startswith(("BEGIN", "ROLLBACK", "COMMIT"))])


async def test_sweeps_of_200_idle_namespaces_cost_what_those_of_one_cost(runtime: Runtime) -> None:
    await make_namespaces(runtime.database, *MANY)
    one = await statements(runtime, Sweeps(runtime, ["default"], ["default"]))
    all_of_them = Sweeps(runtime, ["*"], ["default", *MANY])
    assert await statements(runtime, all_of_them) <= one + 1
    assert all_of_them.asked == [], "Redis is asked about those that have something to ring for"
    listed = Sweeps(runtime, MANY[:50], MANY[:50])
    assert await statements(runtime, listed) <= one + 1


async def test_what_waits_in_one_of_200_is_staged(runtime: Runtime) -> None:
    await make_namespaces(runtime.database, *MANY)
    old = runtime.clock() - seconds(60)
    await store(runtime.database, *(make_task(namespace=n, created_at=old) for n in MANY[7:9]))
    await store(runtime.database, make_task(namespace="unserved", created_at=old))
    sweeps = Sweeps(runtime, ["*"], ["default", *MANY])
    await sweeps.sweep()
    assert sorted(sweeps.started) == ["n007", "n008"]
    assert sorted(sweeps.asked) == [Queue("n007", "default"), Queue("n008", "default")]


async def test_a_paused_queue_of_many_due_tasks_costs_no_more_than_an_empty_one(
    runtime: Runtime,
) -> None:
    workers = [Sweeps(runtime, ["default"], ["default"]) for _ in range(10)]
    empty = [await statements(runtime, one) for one in workers]
    old = runtime.clock() - seconds(60)
    await store(runtime.database, *(make_task(created_at=old) for _ in range(1_000)))
    await runtime.queues.pause(CALLER, "default")
    paused = [await statements(runtime, one) for one in workers]
    assert all(now <= before for now, before in zip(paused, empty, strict=True))
    assert all(Queue("default", "default") in one.paused for one in workers), "they have seen it"
    again = [await statements(runtime, one) for one in workers]
    assert all(now < before for now, before in zip(again, empty, strict=True)), "and leave it out"
    assert all(one.started == [] for one in workers)


async def test_a_sweep_stages_what_was_paused_once_the_worker_knows_better(
    runtime: Runtime,
) -> None:
    await store(runtime.database, make_task(created_at=runtime.clock() - seconds(60)))
    await runtime.queues.pause(CALLER, "default")
    sweeps = Sweeps(runtime, ["default"], ["default"])
    await sweeps.sweep()
    await runtime.queues.resume(CALLER, "default")
    resumed = asyncio.Event()
    sweeps.paused.look(b"default")
    following = asyncio.create_task(sweeps.paused.follow(lambda _: resumed.set()))
    await asyncio.wait_for(resumed.wait(), 60)
    following.cancel()
    await sweeps.sweep()
    assert sweeps.started == ["default"]


async def test_what_finds_no_room_here_is_rung_for_others_now_and_then(runtime: Runtime) -> None:
    old = runtime.clock() - seconds(60)
    await store(runtime.database, make_task(handler="taskq.sleep", created_at=old))
    handlers = {**HANDLERS, Place.PROCESS: ["taskq.sleep"]}
    full = Sweeps(runtime, ["default"], ["default"], handlers=handlers, has_room=False)
    for _ in range(9):
        await full.sweep()
    assert full.started == []
    await full.sweep()
    assert full.started == ["default"]


async def test_while_redis_takes_no_bells_each_worker_stages_for_itself(runtime: Runtime) -> None:
    await store(runtime.database, make_task(created_at=runtime.clock() - seconds(60)))
    sweeps = Sweeps(runtime, ["default"], ["default"])
    await sweeps.sweep_as_one_of_many()
    assert sweeps.started == []
    sweeps.is_full = True
    await sweeps.sweep_as_one_of_many()
    assert sweeps.started == ["default"]
