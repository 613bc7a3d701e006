"""All checks of a deployment, in their order."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from redis.exceptions import NoPermissionError, RedisError

from taskq_server.core.database import DatabaseError
from taskq_server.core.database_errors import reason
from taskq_server.doctor import access, database, redis, work
from taskq_server.doctor.findings import Finding, Outcome, Patient, skipped, wrong
from taskq_server.domain.errors import DatabaseUnavailable

_MOST_SECONDS = 5.0
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Check:
    """A check, which makes sense only if the check `after` has found that all is well."""

    name: str
    examine: Callable[[Patient], Awaitable[Finding]]
    after: str | None = None


CHECKS = (
    Check("database", database.answers),
    Check("database-version", database.version, after="database"),
    Check("character-set", database.character_set, after="database"),
    Check("isolation", database.isolation, after="database"),
    Check("read-only", database.read_only, after="database"),
    Check("clock", database.clock, after="database"),
    Check("revision", database.revision, after="database"),
    Check("database-writes", database.writes, after="revision"),
    Check("connections", database.connections, after="revision"),
    Check("redis", redis.answers),
    Check("redis-version", redis.version, after="redis"),
    Check("redis-writes", redis.writes, after="redis"),
    Check("redis-eviction", redis.eviction, after="redis"),
    Check("redis-cluster", redis.cluster, after="redis"),
    Check("exposure", access.exposure),
    Check("keys", access.keys, after="revision"),
    Check("namespaces", work.served_namespaces, after="revision"),
    Check("workers", work.workers, after="revision"),
    Check("handlers", work.handlers, after="revision"),
    Check("queues", work.queues, after="revision"),
    Check("retention", work.pruning, after="revision"),
)


async def examine(patient: Patient, *, without: Collection[str] = ()) -> dict[str, Finding]:
    """Run the checks, each for a few seconds at most, and return what they found, by name.

    Args:
        patient: what to examine.
        without: names of checks to leave out.
    """
    found: dict[str, Finding] = {}
    for check in CHECKS:
        before = None if check.after is None else found.get(check.after)
        if check.name in without:
            continue
        if before is not None and before.outcome is not Outcome.WELL:
            found[check.name] = skipped(f"because of {check.after}")
        else:
            found[check.name] = await _run(check, patient)
    return found


async def _run(check: Check, patient: Patient) -> Finding:
    try:
        async with asyncio.timeout(_MOST_SECONDS):
            return await check.examine(patient)
    except TimeoutError:
        return wrong(
            f"there is no answer within {_MOST_SECONDS:g} s: check the address, and whether the "
            "server hangs"
        )
    except DatabaseUnavailable as error:
        return wrong(f"{error}: start it, or look at its log")
    except (DatabaseError, OSError) as error:
        return wrong(f"the database refuses the question ({reason(error)}): look at its log")
    except NoPermissionError as error:
        return wrong(f"{_said(error)}: give this account of Redis the rights of docs/deploy.md")
    except RedisError as error:
        return wrong(f"Redis refuses the question ({_said(error)}): look at its log")


def _said(error: RedisError) -> str:
    return str(error).partition("\n")[0][:_SHOWN]
