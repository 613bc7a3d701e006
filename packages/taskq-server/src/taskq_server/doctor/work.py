"""Checks of the work: is somebody there for it, and for what is over?"""

from datetime import timedelta

from taskq_server.crud import counts, fleet, namespaces
from taskq_server.crud.fleet import LiveWorker
from taskq_server.doctor.findings import Finding, Patient, some_of, well, wrong
from taskq_server.domain.caller import ALL_NAMESPACES, DEFAULT_NAMESPACE
from taskq_server.domain.counts import by_queue
from taskq_server.domain.task import WAITING
from taskq_server.services.frontier import Frontier, behind

_SWEEPS = timedelta(minutes=10)
"""How long the janitors may need for what has just come of age."""


async def served_namespaces(patient: Patient) -> Finding:
    """Look for a namespace of the settings that was never made."""
    made = await patient.database.read(namespaces.made)
    missing = patient.settings.missing_namespace(made)
    if missing is not None:
        return wrong(missing)
    return well("the namespaces of the settings exist")


async def workers(patient: Patient) -> Finding:
    """Count the live workers."""
    live = await _live(patient)
    if not live:
        return wrong("no worker is alive, so no task runs: start one with `taskq-server worker`")
    return well(f"{len(live)} {'worker is' if len(live) == 1 else 'workers are'} alive")


async def handlers(patient: Patient) -> Finding:
    """Look for handlers that were published, and that no live worker can run."""
    live = await _live(patient)
    published = await patient.database.read(fleet.published)
    missed = [
        _in(namespace, name)
        for namespace, name in published
        if not any(each.serves(namespace) and name in each.handlers for each in live)
    ]
    if missed:
        return wrong(
            f"no live worker runs {some_of(missed)}, and their tasks wait: start a worker that "
            "has them"
        )
    return well("each published handler has a live worker")


async def queues(patient: Patient) -> Finding:
    """Look for queues with waiting tasks that no live worker listens to."""
    live = await _live(patient)
    counted = await patient.database.read(counts.everywhere)
    missed = [
        _in(namespace, queue)
        for namespace, of_namespace in counted.items()
        for queue, tasks in by_queue(of_namespace).items()
        if tasks.keys() & WAITING
        and not any(each.serves(namespace) and queue in each.queues for each in live)
    ]
    if missed:
        return wrong(
            f"no live worker listens to {some_of(missed)}: start one with --queues (TASKQ_QUEUES)"
        )
    return well("each queue with waiting tasks has a live worker")


async def pruning(patient: Patient) -> Finding:
    """Look for a finished task that should have been deleted a while ago."""
    now = await patient.database.now()
    kept = patient.settings.retention
    late = await patient.database.read(lambda c: behind(c, Frontier(), kept, now))
    settings = f"TASKQ_RETENTION_DAYS is {_days(kept.ended)}"
    if kept.failed != kept.ended:
        settings += f" and TASKQ_RETENTION_DAYS_FAILED is {_days(kept.failed)}"
    if late > _SWEEPS:
        return wrong(
            f"finished tasks are still there that should have been deleted {_days(late)} days ago "
            f"({settings}): workers delete them, so start one, or wait until they have caught up"
        )
    return well(f"nothing is kept for longer than it should be ({settings})")


async def _live(patient: Patient) -> list[LiveWorker]:
    now = await patient.database.now()
    return await patient.database.read(lambda c: fleet.live(c, now))


def _in(namespace: str, name: str) -> str:
    if namespace == DEFAULT_NAMESPACE:
        return name
    where = "every namespace" if namespace == ALL_NAMESPACES else f"namespace {namespace}"
    return f"{name} (in {where})"


def _days(time: timedelta) -> str:
    return f"{time / timedelta(days=1):.3g}"
