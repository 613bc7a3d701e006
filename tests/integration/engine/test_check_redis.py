"""`taskq-server check` finds what is wrong with Redis."""

import time
from pathlib import Path

import pytest

from tests.support.patients import make_well, wrong_in
from tests.support.proxy import Proxy
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until


@pytest.fixture
async def well(sqlite_url: str) -> str:
    """The URL of a database with which all is well."""
    await make_well(sqlite_url)
    return sqlite_url


async def test_all_is_well_with_a_redis_as_it_is_installed(well: str, redis_url: str) -> None:
    assert await wrong_in(well, redis_url) == {}


@pytest.mark.parametrize(
    ("policy", "lost"), [("allkeys-lru", "names of waiting tasks"), ("volatile-ttl", "rates")]
)
async def test_a_redis_that_evicts(
    well: str, redis_server: ValkeyServer, policy: str, lost: str
) -> None:
    with redis_server.client() as client:
        client.config_set("maxmemory-policy", policy)
        try:
            found = await wrong_in(well, redis_server.url)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert set(found) == {"redis-eviction"}
    assert policy in found["redis-eviction"]
    assert lost in found["redis-eviction"]


async def test_a_redis_that_follows_another(well: str, redis_server: ValkeyServer) -> None:
    with redis_server.client() as client:
        client.replicaof("127.0.0.1", "1")
        try:
            found = await wrong_in(well, redis_server.url)
        finally:
            client.replicaof("NO", "ONE")
    assert set(found) == {"redis-writes"}
    assert "primary" in found["redis-writes"]


class _Cluster(ValkeyServer):
    def _argv(self) -> list[str | Path]:
        return [*super()._argv(), "--cluster-enabled", "yes"]


async def test_a_cluster_is_usable_with_one_shard_only(well: str) -> None:
    with _Cluster() as server, server.client() as client:
        empty = await wrong_in(well, server.url)
        client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16_383)
        wait_until(lambda: client.cluster("INFO")["cluster_state"] == "ok", 30, "formed")
        one = await wrong_in(well, server.url)
    assert "redis-cluster" in empty
    assert one == {}


async def test_an_account_without_the_rights(well: str, redis_server: ValkeyServer) -> None:
    rights = ["on", ">pw", "~{taskq:*", "&{taskq:*", "+ping", "+zrem"]
    with redis_server.client() as client:
        client.execute_command("ACL SETUSER few", *rights)
        try:
            url = redis_server.url.replace("//", "//few:pw@")
            found = await wrong_in(well, url)
            wrong_password = await wrong_in(well, url.replace(":pw@", ":planted@"))
        finally:
            client.execute_command("ACL DELUSER few")
    assert set(found) == {"redis-version", "redis-writes", "redis-eviction", "redis-cluster"}
    assert "info" in found["redis-eviction"]
    assert set(wrong_password) == {"redis"}
    assert "planted" not in str(wrong_password)


async def test_a_redis_that_is_away_or_hangs_is_told_in_time(
    well: str, redis_server: ValkeyServer
) -> None:
    assert set(await wrong_in(well, "redis://127.0.0.1:1/0")) == {"redis"}
    with Proxy(redis_server.port) as proxy:
        proxy.silence()
        began = time.monotonic()
        assert set(await wrong_in(well, proxy.through(redis_server.url))) == {"redis"}
        assert time.monotonic() - began < 40
