"""Wait for the fake's tasks without waiting: what will happen is skipped to."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from operator import itemgetter
from threading import get_ident

from taskq_client.testing._store import World
from taskq_client.testing._task import Life

PAUSE_SECONDS = 0.01
QUIET_PAUSES = 50


def wait(world: World, task_ids: Collection[str], seconds: float, budget: float) -> Iterator[float]:
    """Let time pass until one of some tasks is final, or gone, or the time is up.

    An event within the budget of the caller is skipped to at once. Without one the time is up
    as soon as no other request has come for half a second.

    Args:
        world: Where they are.
        task_ids: Whom to wait for.
        seconds: How long.
        budget: Seconds for which the caller repeats the request.

    Yields:
        Seconds to let really pass, because others are at work, or may be about to change something.
    """
    start = world.now
    until = start + timedelta(seconds=seconds)
    news, pauses = world.news, 0
    while True:
        world.settle()
        now = world.now
        with world.lock:
            lives = [world.lives[one] for one in task_ids if one in world.lives]
        is_gone = len(lives) < len(task_ids)
        if is_gone or now >= until or any(life.is_final for life in lives):
            return
        if not _is_called_elsewhere(lives, now):
            if _skip(world, lives, start, budget):
                continue
            if pauses == QUIET_PAUSES or world.quiet_at == world.news:
                world.quiet_at = world.news
                world.go_to(until)
                continue
        yield PAUSE_SECONDS
        news, pauses = world.news, pauses + 1 if news == world.news else 0
        # A clock that stands still would let nobody's time be up.
        world.go_to(now + timedelta(seconds=PAUSE_SECONDS))


def _is_called_elsewhere(lives: Collection[Life], now: datetime) -> bool:
    """Whether another thread calls the script of one; of which the time may be up, too."""
    for life in lives:
        if life.caller not in (None, get_ident()):
            if now < life.limit:
                return True
            life.overrun()
    return False


def _skip(world: World, lives: Collection[Life], start: datetime, budget: float) -> bool:
    """Skip to the next event of these tasks, if it is within the budget of the caller."""
    here = get_ident()
    coming = [(life.due, life) for life in lives if life.due is not None]
    # A script that waits for the task that it is runs until the time of that is up.
    coming += [(life.limit, life) for life in lives if life.caller == here]
    when, life = min(coming, key=itemgetter(0), default=(None, None))
    if when is None or life is None or (when - start).total_seconds() > budget:
        return False
    world.go_to(when)
    if life.caller == here:
        with world.lock:
            life.overrun()
    return True
