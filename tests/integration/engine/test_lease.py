"""The heartbeat on a real database, through a network that may lose connections unseen."""

import asyncio
import signal

import pytest

from taskq_server import migrations
from taskq_server.core.config import Settings
from taskq_server.core.database import Database
from taskq_server.worker.liveness.lease import Heartbeat, Lease
from taskq_server.worker.liveness.supervisor import SupervisorLink
from tests.support.calls import private_mariadb
from tests.support.mariadb import MariaDBServer
from tests.support.proxy import Proxy

LEASE_SECONDS = 3.0


async def test_a_connection_that_died_unseen_does_not_cost_the_lease(
    mariadb_server: MariaDBServer, mariadb_url: str
) -> None:
    database = Database(mariadb_url, pool_size=1)
    await migrations.upgrade(database)
    await database.close()
    beats: asyncio.Queue[Heartbeat] = asyncio.Queue()
    lost = asyncio.Event()
    with Proxy(mariadb_server.port) as proxy:
        url = mariadb_url.replace(f":{mariadb_server.port}/", f":{proxy.port}/")
        lease = Lease(
            Settings(database_url=url, lease_seconds=LEASE_SECONDS),
            ["taskq.echo"],
            parent=SupervisorLink(),
        )
        await lease.start(on_beat=beats.put_nowait, on_lost=lost.set)
        try:
            await beats.get()
            proxy.silence()
            proxy.flow()
            async with asyncio.timeout(4 * LEASE_SECONDS):
                ids = [(await beats.get()).worker_id for _ in range(4)]
        finally:
            await lease.stop()
    assert not lost.is_set()
    assert set(ids) == {lease.worker_id}


async def test_after_a_hang_a_beat_does_not_wait_for_its_turn(
    caplog: pytest.LogCaptureFixture,
) -> None:
    beats: asyncio.Queue[Heartbeat] = asyncio.Queue()
    with private_mariadb() as server, server.database() as url:
        database = Database(url, pool_size=1)
        await migrations.upgrade(database)
        await database.close()
        settings = Settings(database_url=url, lease_seconds=20)
        lease = Lease(settings, ["x"], parent=SupervisorLink())
        await lease.start(on_beat=beats.put_nowait, on_lost=lambda: None)
        try:
            await beats.get()
            server.child.signal(signal.SIGSTOP)
            try:
                async with asyncio.timeout(60):
                    while "the database does not answer" not in caplog.text:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
            finally:
                server.child.signal(signal.SIGCONT)
            async with asyncio.timeout(settings.beat_seconds * 0.7):
                await beats.get()
        finally:
            await lease.stop()
