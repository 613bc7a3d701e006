"""Wait for tasks of the fake without waiting: the time until their next transitions is skipped."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from operator import itemgetter
from threading import get_ident

from taskq_client.testing._store import FakeStore
from taskq_client.testing._task import FakeTask

PAUSE_SECONDS = 0.01
IDLE_PAUSES = 50


def wait(
    store: FakeStore, task_ids: Collection[str], seconds: float, budget: float
) -> Iterator[float]:
    """Let time pass until one of the tasks is final or gone, or the time is up.

    The time until a transition within the budget of the caller is skipped at once. Without
    one the time is up as soon as no other request has come for half a second.

    Args:
        store: The store of the tasks.
        task_ids: The tasks to wait for.
        seconds: The limit of this request.
        budget: Seconds for which the caller repeats the request.

    Yields:
        Seconds of real time to sleep, because other threads may be about to change a task.
    """
    start = store.now
    until = start + timedelta(seconds=seconds)
    activity, pauses = store.activity, 0
    while True:
        store.run_due()
        now = store.now
        with store.lock:
            tasks = [store.tasks[one] for one in task_ids if one in store.tasks]
        is_gone = len(tasks) < len(task_ids)
        if is_gone or now >= until or any(task.is_final for task in tasks):
            return
        if not _is_called_elsewhere(tasks, now):
            if _skip(store, tasks, start, budget):
                continue
            if pauses == IDLE_PAUSES or store.idle_at == store.activity:
                store.idle_at = store.activity
                store.go_to(until)
                continue
        yield PAUSE_SECONDS
        activity, pauses = store.activity, pauses + 1 if activity == store.activity else 0
        # The time is moved on, because the clock of a test may stand still.
        store.go_to(now + timedelta(seconds=PAUSE_SECONDS))


def _is_called_elsewhere(tasks: Collection[FakeTask], now: datetime) -> bool:
    """Whether another thread calls the script of one of these; end attempts that overran."""
    for task in tasks:
        if task.caller not in (None, get_ident()):
            if now < task.limit:
                return True
            task.overrun()
    return False


def _skip(store: FakeStore, tasks: Collection[FakeTask], start: datetime, budget: float) -> bool:
    """Skip to the next transition of these tasks, if the budget of the caller allows it."""
    here = get_ident()
    coming = [(task.due, task) for task in tasks if task.due is not None and store.moves(task)]
    # A script that waits for its own task runs until the time limit of that task.
    coming += [(task.limit, task) for task in tasks if task.caller == here]
    when, task = min(coming, key=itemgetter(0), default=(None, None))
    if when is None or task is None or (when - start).total_seconds() > budget:
        return False
    store.go_to(when)
    if task.caller == here:
        with store.lock:
            task.overrun()
    return True
