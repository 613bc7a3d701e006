"""The character sets of the columns that hold text, on servers that have several."""

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.models import Base

_ALL_TEXT = ("utf8mb4", "ascii")
_others = text(
    "SELECT CONCAT(table_name, '.', column_name), character_set_name "
    "FROM information_schema.columns "
    "WHERE table_schema = DATABASE() AND table_name IN :tables "
    "AND character_set_name NOT IN :fitting ORDER BY 1"
).bindparams(bindparam("tables", expanding=True), bindparam("fitting", expanding=True))


async def in_other_character_sets(connection: AsyncConnection) -> dict[str, str]:
    """Return the character set of each column of taskq that is not as the revisions make it."""
    given = {"tables": sorted(Base.metadata.tables), "fitting": _ALL_TEXT}
    return {name: found for name, found in await connection.execute(_others, given)}
