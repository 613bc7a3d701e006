"""What the probes of a worker say."""

import asyncio
import time

from taskq_server.worker.liveness.health import Health


def test_a_worker_that_starts_lives_and_takes_no_tasks() -> None:
    health = Health(0.1)
    health.look()
    assert health.is_alive
    assert health.reasons() == ["starting"]


async def test_a_worker_that_works_takes_tasks_while_it_has_a_lease() -> None:
    health = Health(30)
    has_lease = True
    with health.working(lambda: has_lease):
        assert (health.is_alive, health.reasons()) == (True, [])
        has_lease = False
        assert (health.is_alive, health.reasons()) == (True, ["lease-expired"])
        health.drain()
        assert (health.is_alive, health.reasons()) == (True, ["draining"])
    assert (health.is_alive, health.reasons()) == (True, ["draining"])


async def test_a_worker_whose_event_loop_stands_still_for_too_long_does_not_live() -> None:
    """Its lease's thread ends it then; this is for a thread that does not."""
    health = Health(0.2)
    with health.working(lambda: True):
        health.look()
        assert (health.is_alive, health.reasons()) == (True, [])
        time.sleep(0.3)  # noqa: ASYNC251
        health.look()
        assert (health.is_alive, health.reasons()) == (False, ["event-loop-blocked"])
        await asyncio.sleep(0)
        health.look()
        assert (health.is_alive, health.reasons()) == (True, [])


async def test_functions_at_the_end_may_block_the_event_loop() -> None:
    health = Health(0.1)
    with health.working(lambda: True):
        health.look()
        time.sleep(0.2)  # noqa: ASYNC251
        health.look()
        assert not health.is_alive
    health.look()
    assert (health.is_alive, health.reasons()) == (True, ["draining"])
