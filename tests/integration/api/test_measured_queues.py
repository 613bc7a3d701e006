"""What janitors measure once a minute, and how `GET /stats/history` tells it, on both databases."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from taskq_server.crud import minutes
from taskq_server.crud.minutes import Measured
from taskq_server.crud.tables import task_minutes
from taskq_server.domain.caller import Caller
from taskq_server.domain.minutes import KEPT, minute_of, start_of
from taskq_server.runtime import Runtime
from taskq_server.services import queue_meter
from taskq_server.services.history import HistoryService
from taskq_server.services.queue_meter import QueueMeter
from tests.integration.api.conftest import Submit
from tests.integration.api.mixture import Mixture, new
from tests.integration.api.moved_clock import moved
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.callers import CALLER

OTHER = Caller("other", name="a test")


async def rows(runtime: Runtime) -> int:
    statement = select(func.count()).select_from(task_minutes)
    return (await runtime.database.read(lambda c: c.execute(statement))).scalar_one()


async def test_one_of_two_janitors_measures_each_minute(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    runtime, clock = moved(runtime)
    meters = [QueueMeter(runtime.database, clock) for _ in range(2)]
    for queue in ("mail", "mail", "mail", "reports"):
        done = await runtime.submit.one(CALLER, new(queue))
    await ScriptedWorker(runtime).claim(str(done.details.task.id))
    clock.move(60)
    measured = await asyncio.gather(*(meter.measure() for meter in meters))
    assert sorted(measured) == [False, True]
    assert [await meter.measure() for meter in meters] == [False, False]
    clock.move(60)
    assert await meters[measured.index(False)].measure()
    clock.move(60)  # in which nobody measures

    history = await HistoryService(runtime.database, clock).read(CALLER, 4)
    mail, reports = history.queues["mail"], history.queues["reports"]
    assert (mail.depth, mail.running) == ([None, 3, 3, None], [None, 0, 0, None])
    assert (reports.depth, reports.running) == ([None, 0, 0, None], [None, 1, 1, None])
    assert reports.oldest_age_seconds == [None] * 4
    none, first, second, last = mail.oldest_age_seconds
    assert none is last is None
    assert first == pytest.approx(60, abs=20)
    assert second == pytest.approx(first + 60 if first else 0, abs=20)
    assert (await HistoryService(runtime.database, clock).read(OTHER, 4)).queues == {}


async def test_a_queue_that_was_empty_when_all_were_measured_had_nothing(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    runtime, clock = moved(runtime)
    meter, worker = QueueMeter(runtime.database, clock), ScriptedWorker(runtime)
    done = await runtime.submit.one(CALLER, new("mail"))
    await meter.measure()
    await worker.succeed(await worker.claim(str(done.details.task.id)), 1)
    clock.move(60)
    await meter.measure()
    clock.move(60)
    mail = (await HistoryService(runtime.database, clock).read(CALLER, 3)).queues["mail"]
    assert (mail.depth, mail.running) == ([1, 0, None], [0, 0, None])
    assert sum(mail.succeeded) == 1


async def test_only_the_fullest_of_many_queues_are_measured(
    runtime: Runtime, worker: ScriptedWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_meter, "MOST_QUEUES", 2)
    for queue in ("a", "b", "b", "c", "c", "c"):
        await runtime.submit.one(CALLER, new(queue))
    await QueueMeter(runtime.database, runtime.clock).measure()
    history = await HistoryService(runtime.database, runtime.clock).read(CALLER, 2)
    depths = {name: max(filter(None, queue.depth)) for name, queue in history.queues.items()}
    assert depths == {"b": 2, "c": 3}
    done = await runtime.submit.one(CALLER, new("a"))
    worker = ScriptedWorker(runtime)
    await worker.succeed(await worker.claim(str(done.details.task.id)), 1)
    history = await HistoryService(runtime.database, runtime.clock).read(CALLER, 2)
    assert history.queues["a"].depth == [None, None], "it was left out, not empty"


async def test_minutes_are_kept_for_seven_days(runtime: Runtime, worker: ScriptedWorker) -> None:
    runtime, clock = moved(runtime)
    maintenance = Mixture(runtime, worker, 0).maintenance
    first = minute_of(clock())
    for minute in range(first, first + 30):
        measured = [Measured("default", name, 1, 0, None) for name in ("a", "b")]
        await runtime.database.write(lambda c, m=minute, r=measured: minutes.store(c, m, r))  # type: ignore[misc]
    assert not await maintenance.forget_minutes()
    clock.later += start_of(first + KEPT + 25) - clock() + timedelta(seconds=1)
    assert await maintenance.forget_minutes()
    while await maintenance.forget_minutes():
        pass
    assert await rows(runtime) == 2 * 5
    history = await HistoryService(runtime.database, clock).read(CALLER, KEPT, "a")
    assert history.queues["a"].depth[:5] == [1, 1, 1, 1, None]


async def get(api: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = await api.get(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_answer_has_a_value_for_each_minute(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker
) -> None:
    for queue in ("mail", "reports"):
        await worker.succeed(await worker.claim((await submit(queue=queue))["id"]), 1)
    await worker.fail(await worker.claim((await submit(queue="mail"))["id"]))
    found = await get(api, "/stats/history")
    assert found["exact"]
    assert len(found["minutes"]) == 60
    assert all(minute.endswith(":00Z") for minute in found["minutes"])
    assert found["minutes"] == sorted(found["minutes"])
    assert found["queues"].keys() == {"mail", "reports"}
    mail = found["queues"]["mail"]
    assert {len(values) for values in mail.values()} == {60}
    assert (sum(mail["succeeded"]), sum(mail["failed"])) == (1, 1)
    assert len([mean for mean in mail["run_seconds_mean"] if mean is not None]) in (1, 2)
    only = await get(api, "/stats/history?minutes=2&queue=reports")
    assert (only["queues"].keys(), len(only["minutes"])) == ({"reports"}, 2)
    assert (await get(api, "/stats/history?queue=none"))["queues"] == {}


@pytest.mark.parametrize(
    "query", ["minutes=0", "minutes=10081", "minutes=1.5", "minutes=x", "queue=%20", "since=1"]
)
async def test_a_wrong_query_is_refused(api: httpx.AsyncClient, query: str) -> None:
    answer = await api.get(f"/stats/history?{query}")
    assert answer.status_code == 422, answer.text


async def test_an_answer_that_would_be_too_large_leaves_out_the_oldest_minutes(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    minute, names = minute_of(runtime.clock()), [f"q{n}" for n in range(50)]
    measured = [Measured("default", name, 1, 0, None) for name in names]
    await runtime.database.write(lambda c: minutes.store(c, minute - 500, measured))
    await runtime.database.write(lambda c: minutes.store(c, minute - 1, measured[:10]))
    found = await get(api, "/stats/history?minutes=1000")
    assert not found["exact"], "1,000 minutes of 50 queues are too many"
    assert 499 <= len(found["minutes"]) <= 501  # up to the minute that has 50 queues
    assert len(found["queues"]) == 10
    assert (await get(api, "/stats/history?minutes=400"))["exact"]
    few = await get(api, "/stats/history?minutes=10000&queue=q49")
    assert few["exact"]
    assert sum(filter(None, few["queues"]["q49"]["depth"])) == 1
