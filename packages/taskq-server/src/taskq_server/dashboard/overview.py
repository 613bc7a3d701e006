"""The overview: how the work stands, what happened in the last hour, and what fails."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from taskq_server.api.caller import caller_of
from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.dashboard import charts
from taskq_server.dashboard.attention import Concern, concerns
from taskq_server.dashboard.page_route import PageRoute
from taskq_server.dashboard.rendering import fragment, page
from taskq_server.dashboard.viewer import viewer_of
from taskq_server.domain.task import Status
from taskq_server.runtime import Runtime
from taskq_server.services.overview import RecentFailures, Standing
from taskq_server.services.queues import QueueState

MOST_QUEUES = 8
"""Queues in the table of the overview; the page of the queues has all."""

MOST_GROUPS = 10
"""Groups of failures on the overview."""

router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class Now:
    """How the work stands.

    Attributes:
        tasks: how many there are in each status.
        workers: how many are alive.
        oldest: the queue with the task that has been due for longest; None where none is due.
        due_since: since when it has been due, aware UTC.
        busiest: the queues with most that waits or runs.
        queues: how many there are.
        concerns: what needs attention; None for who may not see it.
    """

    tasks: Counter[Status]
    workers: int
    oldest: str | None
    due_since: datetime | None
    busiest: Sequence[QueueState]
    queues: int
    concerns: Sequence[Concern] | None

    @property
    def is_unused(self) -> bool:
        """Whether there is no task."""
        return not self.tasks.total()


@router.get(ROOT, operation_id="stats")
async def overview(request: Request, runtime: RuntimeDep) -> Response:
    """Show all of it."""
    return page(
        request,
        "overview.html",
        now=await _now(request, runtime),
        hour=await _hour(request, runtime),
        recent=await _recent(request, runtime),
        most_groups=MOST_GROUPS,
        address=f"{request.url.scheme}://{request.url.netloc}{viewer_of(request).api('')}",
    )


@router.get(f"{ROOT}/", operation_id="root")
async def overview_with_slash(request: Request) -> Response:
    """Lead to the overview."""
    return RedirectResponse(viewer_of(request).path(), 308)


@router.get(f"{ROOT}/overview/now", operation_id="stats")
async def now(request: Request, runtime: RuntimeDep) -> Response:
    """Show how the work stands, for a page that follows it."""
    return fragment(
        request, "overview_now.html", now=await _now(request, runtime), is_whole_page=False
    )


@router.get(f"{ROOT}/overview/charts", operation_id="stats_history")
async def last_hour(request: Request, runtime: RuntimeDep) -> Response:
    """Show the charts alone."""
    return fragment(request, "overview_charts.html", hour=await _hour(request, runtime))


@router.get(f"{ROOT}/overview/failures", operation_id="failures")
async def failures(request: Request, runtime: RuntimeDep) -> Response:
    """Show the failures alone."""
    recent = await _recent(request, runtime)
    return fragment(request, "overview_failures.html", recent=recent, most_groups=MOST_GROUPS)


async def _now(request: Request, runtime: Runtime) -> Now:
    standing = await runtime.overview.standing(caller_of(request.scope))
    recent, at = await _recent(request, runtime), runtime.clock()
    oldest = max(standing.queues, key=_age, default=None)
    age = None if oldest is None else oldest.stats.oldest_age_seconds
    sees_queues = viewer_of(request).sees("queues")
    return Now(
        tasks=sum((each.stats.tasks for each in standing.queues), Counter()),
        workers=standing.workers,
        oldest=None if oldest is None or age is None else oldest.stats.name,
        due_since=None if age is None else at - timedelta(seconds=age),
        busiest=_busiest(standing),
        queues=len(standing.queues),
        concerns=concerns(standing, recent, at) if recent and sees_queues else None,
    )


def _age(queue: QueueState) -> float:
    age = queue.stats.oldest_age_seconds
    return -1.0 if age is None else age


def _busiest(standing: Standing) -> list[QueueState]:
    by_work = sorted(standing.queues, key=lambda each: -each.stats.depth - each.stats.running)
    return sorted(by_work[:MOST_QUEUES], key=lambda each: each.stats.name)


async def _hour(request: Request, runtime: Runtime) -> charts.Hour:
    return charts.hour(await runtime.overview.history(caller_of(request.scope)))


async def _recent(request: Request, runtime: Runtime) -> RecentFailures | None:
    """Return what has failed lately; None for who may not see it."""
    if not viewer_of(request).sees("failures"):
        return None
    return await runtime.overview.failures(caller_of(request.scope))
