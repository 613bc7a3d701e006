"""Checks of Redis: does it answer, and does it keep what is put into it?"""

from redis.exceptions import RedisError

from taskq_server.broker import connection
from taskq_server.broker.connection import Redis
from taskq_server.broker.server_facts import facts
from taskq_server.core.dialects.server import numbers
from taskq_server.doctor.findings import Finding, Patient, skipped, well, wrong

_OLDEST = {"Redis": (6, 2), "Valkey": (7, 2)}
_KEEPS_ALL = "noeviction"
_SHOWN = 200


async def answers(patient: Patient) -> Finding:
    """Connect as the processes do."""
    if patient.redis is None:
        return skipped("TASKQ_REDIS_URL is not set, so only `dev` can run, which brings its own")
    try:
        await patient.redis.ping()
    except (RedisError, OSError) as error:
        said = str(error).partition("\n")[0][:_SHOWN]
        return wrong(
            f"Redis does not let us in ({said}): start it, or correct TASKQ_REDIS_URL; until then "
            "tasks start late"
        )
    return well("Redis answers")


async def version(patient: Patient) -> Finding:
    """Compare with the oldest version that has the commands."""
    server = await facts(_of(patient))
    oldest = _OLDEST[server.product]
    if numbers(server.version) < oldest:
        needed = ".".join(map(str, oldest))
        return wrong(f"{server.product} {server.version} is too old: taskq needs {needed} or newer")
    return well(f"{server.product} {server.version}")


async def writes(patient: Patient) -> Finding:
    """Write nothing, which a replica refuses."""
    redis = _of(patient)
    if (await facts(redis)).is_replica:
        return wrong(
            "this Redis follows another and only reads: name the primary in TASKQ_REDIS_URL"
        )
    await connection.probe(redis, f"{{{patient.settings.redis_prefix}:check}}")
    return well("it takes writes")


async def eviction(patient: Patient) -> Finding:
    """Look at what it deletes when its memory is full."""
    found = (await facts(_of(patient))).eviction
    if found is None or found == _KEEPS_ALL:
        return well("nothing is evicted")
    lost = "the limits of rates" if found.startswith("volatile") else "the names of waiting tasks"
    return wrong(
        f"maxmemory-policy is {found}, so a full Redis forgets {lost}, and taskq works late or "
        f"wrongly: set maxmemory-policy {_KEEPS_ALL}"
    )


async def cluster(patient: Patient) -> Finding:
    """Look for a cluster, of which one shard can be used."""
    shards = (await facts(_of(patient))).shards
    if shards is None or shards == 1:
        return well("no cluster" if shards is None else "a cluster of one shard")
    return wrong(
        f"Redis is a cluster of {shards} shards, which taskq cannot use: name a Redis without "
        "cluster mode in TASKQ_REDIS_URL, or a cluster of one shard"
    )


def _of(patient: Patient) -> Redis:
    assert patient.redis is not None  # else these checks are left out
    return patient.redis
