"""What Redis says of itself, for the check of a deployment."""

from dataclasses import dataclass
from typing import Any

from taskq_server.broker.connection import Redis

_REPLICA = "slave"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisFacts:
    """A server of Redis or Valkey.

    Attributes:
        product: its name.
        version: as it says it.
        eviction: what it deletes when its memory is full; None if it does not say.
        shards: of its cluster, which is not there yet if there are none; None without a cluster.
        is_replica: whether it follows another server.
    """

    product: str
    version: str
    eviction: str | None
    shards: int | None
    is_replica: bool


async def facts(redis: Redis) -> RedisFacts:
    """Ask a server, which needs the right to INFO, and in a cluster to CLUSTER INFO.

    Raises:
        RedisError, OSError: Redis is away, or denies it.
    """
    said: dict[str, Any] = {}
    for section in ("server", "memory", "replication", "cluster"):
        said |= await redis.info(section)
    is_valkey = "valkey_version" in said
    return RedisFacts(
        product="Valkey" if is_valkey else "Redis",
        version=str(said["valkey_version" if is_valkey else "redis_version"]),
        eviction=said.get("maxmemory_policy"),
        shards=await _shards(redis) if said.get("cluster_enabled") else None,
        is_replica=said.get("role") == _REPLICA,
    )


async def _shards(redis: Redis) -> int:
    said = await redis.cluster("INFO")
    return int(said["cluster_size"])
