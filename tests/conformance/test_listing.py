"""Pages of tasks against a plain reading of the same filters."""

import random
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from taskq_server.core.database import Database
from taskq_server.crud import filters, listing, schedules
from taskq_server.crud.filters import Filter
from taskq_server.crud.listing import Scanned
from taskq_server.crud.schedules import NewFire
from taskq_server.crud.tables import attempts, tasks
from taskq_server.domain.ids import IdSource, first_id_of
from taskq_server.domain.task import Outcome, Priority, Status, Task
from tests.conformance.conftest import PATIENCE, empty
from tests.unit.server.factories import NOW, make_tags, make_task, seconds, store

HANDLERS = ("build", "send", "rare")
QUEUES = ("default", "slow")
TITLES = ("Report May", "Report June", "report", "100%", "100_x", "Über", "")
TAGS = ("a", "b", "c")
SCHEDULES = ("nightly", "Nightly", "code:build")
ERROR_TYPES = ("ValueError", "valueerror", "OSError", None)


@dataclass(frozen=True)
class Data:
    """What is stored, as the reference reads it."""

    tasks: tuple[Task, ...]
    tags: dict[UUID, frozenset[int]]
    tag_ids: tuple[int, ...]
    error_types: dict[tuple[UUID, int], str | None]
    schedules: dict[UUID, str]

    def expected(self, wanted: Filter) -> list[Task]:
        found = [task for task in self.tasks if self._fits(task, wanted)]
        return sorted(found, key=lambda task: task.id, reverse=wanted.descending)

    def _fits(self, task: Task, wanted: Filter) -> bool:
        return (
            task.namespace == wanted.namespace
            and (not wanted.statuses or task.status in wanted.statuses)
            and (not wanted.priorities or task.priority in wanted.priorities)
            and set(wanted.tag_ids) <= self.tags[task.id]
            and (not wanted.handlers or task.handler in wanted.handlers)
            and (not wanted.queues or task.queue in wanted.queues)
            and (wanted.error_type is None or self._error_type(task) == wanted.error_type)
            and task.attempt >= (wanted.attempt_min or 0)
            and (wanted.finished_after is None or _is_from(wanted.finished_after, task))
            and (wanted.finished_before is None or _is_until(wanted.finished_before, task))
            and (wanted.created_after is None or task.created_at >= wanted.created_after)
            and (wanted.created_before is None or task.created_at < wanted.created_before)
            and task.title.startswith(wanted.title_prefix or "")
            and str(task.id).startswith(wanted.id_prefix or "")
            and wanted.schedule in (None, self.schedules.get(task.id))
        )

    def _error_type(self, task: Task) -> str | None:
        last = self.error_types.get((task.id, task.attempt))
        return last if task.status in (Status.FAILED, Status.RETRYING) else None


def _is_from(moment: datetime, task: Task) -> bool:
    return task.finished_at is not None and task.finished_at >= moment


def _is_until(moment: datetime, task: Task) -> bool:
    return task.finished_at is not None and task.finished_at < moment


@pytest.fixture(scope="module")
async def database(url: str) -> AsyncIterator[Database]:
    """Shared: these tests only read."""
    database = Database(url, connect_seconds=PATIENCE)
    await database.write(empty)
    yield database
    await database.close()


@pytest.fixture(scope="module")
async def data(database: Database) -> Data:
    ids = await make_tags(database, *TAGS)
    choose = random.Random(42)
    new_id = IdSource()
    made: list[Task] = []
    links: dict[UUID, frozenset[int]] = {}
    for n in range(300):
        created = NOW + seconds(n // 3 * 0.75)
        status = choose.choices(list(Status), (5, 1, 2, 8, 3, 1))[0]
        task = make_task(
            status,
            id=new_id(created),
            created_at=created,
            finished_at=created + seconds(choose.randint(0, 90)) if status.final else None,
            attempt=choose.randint(0 if status is Status.QUEUED else 1, 3),
            handler=choose.choices(HANDLERS, (10, 10, 1))[0],
            queue=choose.choices(QUEUES, (5, 1))[0],
            priority=choose.choice(list(Priority)),
            title=choose.choice(TITLES),
            namespace="theirs" if n % 25 == 0 else "default",
        )
        made.append(task)
        tagged = task.namespace == "default"
        links[task.id] = frozenset(i for i in ids.values() if tagged and choose.random() < 0.3)
    await store(database, *made, tagged={key: sorted(value) for key, value in links.items()})
    error_types = {
        (task.id, attempt): choose.choice(ERROR_TYPES)
        for task in made
        for attempt in range(1, task.attempt + (task.status is not Status.RUNNING))
    }
    await database.write(lambda c: c.execute(insert(attempts), _rows(error_types)))
    fired = {task.id: choose.choice(SCHEDULES) for task in made if choose.random() < 0.3}
    await database.write(lambda c: schedules.add_fire(c, *_fires(made, fired)))
    light = tuple(task._replace(payload="") for task in made)
    return Data(light, links, tuple(ids.values()), error_types, fired)


def _fires(made: Iterable[Task], fired: dict[UUID, str]) -> list[NewFire]:
    return [
        NewFire(UUID(int=7), NOW + seconds(place), task.id, task.namespace, fired[task.id])
        for place, task in enumerate(made)
        if task.id in fired
    ]


def _rows(error_types: dict[tuple[UUID, int], str | None]) -> list[dict[str, object]]:
    return [
        {
            "task_id": task_id,
            "attempt": attempt,
            "handler": "build",
            "outcome": Outcome.FAILED if error_type else Outcome.RELEASED,
            "error_type": error_type,
            "started_at": NOW,
            "finished_at": NOW,
        }
        for (task_id, attempt), error_type in error_types.items()
    ]


async def one_page(database: Database, wanted: Filter) -> Scanned:
    return await database.read(lambda c: listing.page(c, wanted))


async def pages(database: Database, wanted: Filter) -> list[Scanned]:
    """All pages from the first to the last."""
    found: list[Scanned] = []
    while True:
        page = await one_page(database, wanted)
        found.append(page)
        assert len(page.tasks) <= wanted.limit
        if page.next_after is None:
            return found
        if wanted.after is not None:
            forward = page.next_after < wanted.after
            assert forward == wanted.descending, "the cursor moves on"
        wanted = replace(wanted, after=page.next_after)
        assert len(found) < 2_000, "the pages never end"


def joined(found: list[Scanned]) -> list[Task]:
    return [task for page in found for task in page.tasks]


MOMENTS = st.none() | st.integers(-10, 120).map(lambda n: NOW + seconds(n * 0.75))


def some(values: Iterable[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(st.sampled_from(list(values)), unique=True, max_size=3).map(tuple)


ID_PREFIXES = [str(first_id_of(NOW + seconds(15)))[:length] for length in (1, 8, 9, 10, 13, 15)]
FILTERS: st.SearchStrategy[Callable[[Data], Filter]] = st.builds(
    lambda tag_numbers, **rest: (
        lambda data: Filter(
            namespace="default", tag_ids=tuple(data.tag_ids[n] for n in tag_numbers), **rest
        )
    ),
    tag_numbers=st.lists(st.integers(0, 2), unique=True, max_size=3),
    statuses=some(Status),
    priorities=some(Priority),
    handlers=some([*HANDLERS, "none"]),
    queues=some(QUEUES),
    error_type=st.sampled_from([None, None, *ERROR_TYPES, "none"]),
    attempt_min=st.sampled_from([None, None, 1, 2, 3, 4]),
    created_after=MOMENTS,
    created_before=MOMENTS,
    finished_after=MOMENTS,
    finished_before=MOMENTS,
    title_prefix=st.none() | st.sampled_from(["R", "Report", "report", "100%", "100_", "Ü", "zz"]),
    id_prefix=st.none() | st.sampled_from(ID_PREFIXES),
    schedule=st.none() | st.sampled_from([*SCHEDULES, "none"]),
    descending=st.booleans(),
    limit=st.sampled_from([7, 50, 200]),
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(make=FILTERS, budget=st.sampled_from([12, 60, 2_000]))
async def test_any_combination_is_complete_in_order_and_without_duplicates(
    database: Database, data: Data, make: Callable[[Data], Filter], budget: int
) -> None:
    wanted = make(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "BUDGET", budget)
        assert joined(await pages(database, wanted)) == data.expected(wanted)


BASE = Filter(namespace="default", limit=7)
MIDDLE = NOW + seconds(30)


NAMES = [each.name for each in fields(Filter)]


def name_of(wanted: Filter) -> str:
    given = [name for name in NAMES if getattr(wanted, name) != getattr(BASE, name)]
    return ",".join(given) or "all"


@pytest.mark.parametrize(
    "wanted",
    [
        BASE,
        replace(BASE, statuses=(Status.FAILED,)),
        replace(BASE, statuses=(Status.QUEUED, Status.RUNNING, Status.SUCCEEDED)),
        replace(BASE, priorities=(Priority.HIGH,)),
        replace(BASE, priorities=(Priority.LOW, Priority.URGENT)),
        replace(BASE, handlers=("build",)),
        replace(BASE, handlers=("rare", "none")),
        replace(BASE, handlers=("rare", "build", "rare")),
        replace(BASE, queues=("slow",)),
        replace(BASE, queues=QUEUES),
        replace(BASE, error_type="ValueError"),
        replace(BASE, error_type="OSError", statuses=(Status.RETRYING, Status.SUCCEEDED)),
        replace(BASE, attempt_min=3),
        replace(BASE, finished_after=MIDDLE),
        replace(BASE, finished_before=MIDDLE),
        replace(BASE, finished_after=MIDDLE, statuses=(Status.FAILED, Status.QUEUED)),
        replace(BASE, created_after=MIDDLE),
        replace(BASE, created_before=MIDDLE),
        replace(BASE, created_after=MIDDLE, created_before=MIDDLE + seconds(9)),
        replace(BASE, title_prefix="Report "),
        *(replace(BASE, id_prefix=prefix) for prefix in ID_PREFIXES),
        replace(BASE, tag_ids=(1,)),
        replace(BASE, tag_ids=(1, 2, 3)),
        replace(BASE, schedule="nightly"),
        replace(BASE, schedule="code:build", tag_ids=(1,)),
        replace(BASE, schedule="Nightly", statuses=(Status.SUCCEEDED, Status.QUEUED)),
        replace(BASE, schedule="Nightly", namespace="theirs"),
        replace(BASE, namespace="theirs"),
    ],
    ids=lambda wanted: name_of(wanted),
)
@pytest.mark.parametrize("descending", [True, False])
async def test_each_filter_alone(
    database: Database, data: Data, wanted: Filter, descending: bool
) -> None:
    tag_ids = tuple(data.tag_ids[number - 1] for number in wanted.tag_ids)
    wanted = replace(wanted, descending=descending, tag_ids=tag_ids)
    expected = data.expected(wanted)
    assert expected, "the data must have something to find"
    assert joined(await pages(database, wanted)) == expected


@pytest.mark.parametrize(
    "wanted",
    [
        replace(BASE, error_type="ValueError", statuses=(Status.SUCCEEDED, Status.QUEUED)),
        replace(BASE, finished_after=NOW, statuses=(Status.RUNNING,)),
        replace(BASE, finished_before=MIDDLE, error_type="OSError", statuses=(Status.RETRYING,)),
    ],
    ids=lambda wanted: name_of(wanted),
)
async def test_what_no_task_can_be_is_one_empty_page(
    database: Database, data: Data, wanted: Filter
) -> None:
    assert data.expected(wanted) == []
    assert await one_page(database, wanted) == Scanned([], None)


async def test_a_scan_of_many_names_reads_no_more_and_finds_all(
    database: Database, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "BUDGET", 100)
    monkeypatch.setattr(listing, "_MOST_READ", 60)
    names = (*HANDLERS, *(f"none{n}" for n in range(17)))
    wanted = replace(BASE, handlers=names, attempt_min=3)
    found = await pages(database, wanted)
    assert joined(found) == data.expected(wanted)
    assert any(len(page.tasks) < wanted.limit for page in found[:-1]), "three rows of each name"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(make=FILTERS, asked=st.integers(0, 299))
async def test_the_conditions_judge_rows_as_the_pages_do(
    database: Database, data: Data, make: Callable[[Data], Filter], asked: int
) -> None:
    """As something asks that has locked some rows."""
    wanted = make(data)
    ids = [task.id for task in data.tasks[asked : asked + 100]]
    statement = select(tasks.c.id).where(tasks.c.id.in_(ids), *filters.conditions(wanted))
    found = await database.read(lambda c: c.execute(statement))
    expected = {task.id for task in data.expected(wanted)} & set(ids)
    assert set(found.scalars()) == expected


async def test_pages_are_full_until_the_last(database: Database, data: Data) -> None:
    wanted = Filter(namespace="default", statuses=(Status.SUCCEEDED, Status.QUEUED), limit=10)
    found = await pages(database, wanted)
    assert [len(page.tasks) for page in found[:-1]] == [10] * (len(found) - 1)
    assert len(found) == -(-len(data.expected(wanted)) // 10)


async def test_exactly_full_pages_end_without_an_empty_one(database: Database, data: Data) -> None:
    total = len(data.expected(BASE))
    found = await pages(database, replace(BASE, limit=total))
    assert [len(page.tasks) for page in found] == [total]


async def test_a_rare_combination_gives_short_pages_with_a_cursor(
    database: Database, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "BUDGET", 20)
    wanted = Filter(namespace="default", queues=("default",), title_prefix="100%", limit=10)
    found = await pages(database, wanted)
    assert any(len(page.tasks) < 10 and page.next_after for page in found)
    assert joined(found) == data.expected(wanted)

    nothing = await pages(database, replace(wanted, title_prefix="no such title"))
    assert joined(nothing) == []
    assert len(nothing) > 1, "even an empty page has a cursor while there is more to scan"


async def test_a_page_is_full_as_long_as_the_budget_lasts(database: Database, data: Data) -> None:
    wanted = Filter(namespace="default", queues=("default",), title_prefix="100%", limit=10)
    found = await pages(database, wanted)
    assert [len(page.tasks) for page in found[:-1]] == [10] * (len(found) - 1)
    assert len(found) > 1


async def test_the_payload_is_not_read(database: Database, data: Data) -> None:
    page = await one_page(database, BASE)
    assert page.tasks
    assert {task.payload for task in page.tasks} == {""}


@pytest.mark.parametrize(
    "moment", [datetime(1970, 1, 1, tzinfo=UTC), datetime(8999, 1, 1, tzinfo=UTC)]
)
async def test_times_far_away_are_fine(database: Database, data: Data, moment: datetime) -> None:
    names = ("created_after", "created_before", "finished_after", "finished_before")
    for wanted in (replace(BASE, **{name: moment}) for name in names):  # type: ignore[arg-type]
        assert joined(await pages(database, wanted)) == data.expected(wanted)
