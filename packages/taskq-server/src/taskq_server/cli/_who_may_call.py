"""Who may call the API: what `api` and `dev` say of it when they start."""

import logging

from taskq_server.core import environment
from taskq_server.core.addresses import is_loopback
from taskq_server.core.config import Settings
from taskq_server.core.database import Database, DatabaseError
from taskq_server.crud import api_keys
from taskq_server.domain.errors import DatabaseUnavailable

OFF = "open to all who reach it: TASKQ_AUTH is off"
OPEN = "open on this machine until the first key is made"
CLOSED = "keys are asked for"
NO_KEY = (
    "keys are asked for, and there is none yet: `taskq-server keys create NAME --scope SCOPE` "
    "makes one"
)
BEHIND_A_PROXY = (
    "a proxy seems to be in front of this API (%s): until the first key is made, everybody whom "
    "it lets through may do everything, so set TASKQ_AUTH=required"
)
UNKNOWN = "unknown: the database does not answer yet, and nobody may call until it does"

_log = logging.getLogger("taskq.server")


async def who_may_call(settings: Settings) -> str:
    """Return who may call an API with these settings, as of now.

    Warn of a proxy that lets everybody in.
    """
    if settings.asks_for_keys == "off":
        return OFF
    found = sentence(
        may_open=settings.may_open,
        has_keys=settings.admin_key_file is not None or await _has_keys(settings),
    )
    proxied = _of_a_proxy(settings)
    if found in (OPEN, UNKNOWN) and proxied:
        _log.warning(BEHIND_A_PROXY, ", ".join(proxied))
    return found


def sentence(*, may_open: bool, has_keys: bool | None) -> str:
    """Return who may call.

    Args:
        may_open: whether no key is asked for as long as there is none.
        has_keys: whether a key was ever made; None if nobody knows.
    """
    if has_keys is None:
        return UNKNOWN if may_open else CLOSED
    if has_keys:
        return CLOSED
    return OPEN if may_open else NO_KEY


def _of_a_proxy(settings: Settings) -> list[str]:
    """Return the variables that say that others than this machine are served."""
    found = {
        "allowed_hosts": not all(map(is_loopback, settings.allowed_hosts)),
        "trusted_proxies": settings.trusted_proxies,
        "root_path": settings.root_path,
    }
    return [environment.variable(name) for name, is_set in found.items() if is_set]


async def _has_keys(settings: Settings) -> bool | None:
    database = Database(
        settings.database_url.get_secret_value(),
        pool_size=1,
        connect_seconds=settings.database_connect_seconds,
        hang_seconds=settings.database_connect_seconds,
    )
    try:
        return await database.read(api_keys.any_exists)
    except (DatabaseUnavailable, DatabaseError):
        return None
    finally:
        await database.close()
