"""What a server of MySQL or MariaDB says of itself."""

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.dialects.server import ServerFacts, numbers

_OLDEST = {"MariaDB": (10, 6), "MySQL": (8, 0)}
_ISOLATION = ("transaction_isolation", "tx_isolation")
_READ_ONLY = ("read_only", "super_read_only", "innodb_read_only")
_NAMES = (
    *("version", "character_set_database", *_ISOLATION, *_READ_ONLY),
    *("log_bin", "binlog_format", "max_connections", "max_user_connections"),
)
_OFF = ("OFF", "0", "")
_LISTED = ", ".join(f"'{name}'" for name in _NAMES)


async def facts(connection: AsyncConnection) -> ServerFacts:
    """Ask a server for its variables; any account may read them."""
    own = await _variables(connection, "SESSION")
    usual = await _variables(connection, "GLOBAL")
    product = "MariaDB" if "mariadb" in own["version"].lower() else "MySQL"
    return ServerFacts(
        product=product,
        version=numbers(own["version"]),
        oldest=_OLDEST[product],
        character_set=own["character_set_database"],
        isolation=_isolation(own),
        usual_isolation=_isolation(usual),
        read_only=next((name for name in _READ_ONLY if _is_on(own, name)), None),
        binlog_format=own["binlog_format"] if _is_on(own, "log_bin") else None,
        most_connections=_most_connections(own),
    )


async def _variables(connection: AsyncConnection, whose: str) -> dict[str, str]:
    rows = await connection.execute(
        text(f"SHOW {whose} VARIABLES WHERE variable_name IN ({_LISTED})")
    )
    return {name.lower(): value for name, value in rows}


def _isolation(variables: Mapping[str, str]) -> str:
    found = next(variables[name] for name in _ISOLATION if name in variables)
    return found.replace("-", " ")


def _is_on(variables: Mapping[str, str], name: str) -> bool:
    return variables.get(name, "OFF").upper() not in _OFF


def _most_connections(variables: Mapping[str, str]) -> int:
    limits = [int(variables["max_connections"]), int(variables.get("max_user_connections", 0))]
    return min(limit for limit in limits if limit)  # 0 stands for no limit of the account
