"""Checks of the database: does it answer, and is it set up as taskq needs it?"""

from taskq_server import migrations
from taskq_server.core import dialects
from taskq_server.core.database import DatabaseError
from taskq_server.core.database_errors import reason
from taskq_server.core.dialects.server import ServerFacts
from taskq_server.crud import columns, fleet
from taskq_server.crud.probe import write_nothing
from taskq_server.doctor.findings import Finding, Patient, some_of, well, wrong
from taskq_server.domain.errors import DatabaseUnavailable

_CHARACTER_SET = "utf8mb4"
_ISOLATION = "READ COMMITTED"
_USUAL_ISOLATIONS = (_ISOLATION, "REPEATABLE READ")
_UNLOGGABLE = "STATEMENT"
_MOST_OFFSET_SECONDS = 1.0
_BESIDE_THE_POOL = 2


async def answers(patient: Patient) -> Finding:
    """Connect as the processes do."""
    missing = dialects.missing_file(patient.settings.database_url.get_secret_value())
    if missing is not None:
        return wrong(f"there is no file {missing}: make it with `taskq-server db upgrade`")
    try:
        server = await _facts(patient)
    except (DatabaseError, OSError) as error:
        return wrong(
            f"the database does not let us in ({reason(error)}): start it, or correct "
            "TASKQ_DATABASE_URL"
        )
    return well(f"{server.product} answers")


async def version(patient: Patient) -> Finding:
    """Compare with the oldest version that runs the statements."""
    server = await _facts(patient)
    found, oldest = (".".join(map(str, each)) for each in (server.version, server.oldest))
    if server.version < server.oldest:
        return wrong(f"{server.product} {found} is too old: taskq needs {oldest} or newer")
    return well(f"{server.product} {found}")


async def character_set(patient: Patient) -> Finding:
    """Look for a place that cannot hold every text."""
    server = await _facts(patient)
    if server.character_set is None:
        return well(f"{server.product} holds every text")
    others = await patient.database.read(columns.in_other_character_sets)
    if others:
        kinds = ", ".join(sorted(set(others.values())))
        return wrong(
            f"columns have another character set than the revisions gave them ({kinds}): "
            f"{some_of(others)}; undo that with ALTER TABLE … MODIFY, or text is lost"
        )
    if server.character_set != _CHARACTER_SET:
        return wrong(
            f"the database's character set is {server.character_set}, which new tables get that "
            f"name none: run ALTER DATABASE … CHARACTER SET {_CHARACTER_SET}"
        )
    return well(f"the character set is {_CHARACTER_SET}")


async def isolation(patient: Patient) -> Finding:
    """Look at the isolation of our session, and at that of others on the same tables."""
    server = await _facts(patient)
    if server.isolation is None:
        return well(f"{server.product} has one writer at a time")
    if server.isolation != _ISOLATION:
        return wrong(
            f"sessions of taskq ask for {_ISOLATION} and get {server.isolation}, so they block "
            "each other: look at what is between taskq and the server, such as a proxy"
        )
    if server.binlog_format == _UNLOGGABLE:
        return wrong(
            f"binlog_format={_UNLOGGABLE} refuses writes at {_ISOLATION}: set it to ROW or MIXED"
        )
    if server.usual_isolation not in _USUAL_ISOLATIONS:
        return wrong(
            f"the server's transaction_isolation is {server.usual_isolation}: taskq sets its own, "
            "but a dump or a report there blocks its rows or reads what is not committed; set "
            f"{' or '.join(_USUAL_ISOLATIONS)}"
        )
    return well(f"sessions have {server.isolation}")


async def read_only(patient: Patient) -> Finding:
    """Look for a server that only reads, such as a replica, even if this account may write."""
    server = await _facts(patient)
    if server.read_only is not None:
        return wrong(
            f"the server only reads ({server.read_only} is on): name the one that writes in "
            "TASKQ_DATABASE_URL, or switch that off"
        )
    return well("the server is not read-only")


async def writes(patient: Patient) -> Finding:
    """Write nothing, which needs everything that a write needs."""
    try:
        await patient.database.write(write_nothing)
    except (DatabaseUnavailable, DatabaseError) as error:
        said = str(error) if isinstance(error, DatabaseUnavailable) else reason(error)
        return wrong(
            f"a write fails ({said}): give the account the rights of docs/deploy.md, and make "
            "sure that disk and server take writes"
        )
    return well("it takes writes")


async def clock(patient: Patient) -> Finding:
    """Compare the database's clock with this machine's; the question took a while."""
    if patient.database.dialect.now() is None:
        return well("the clock is this machine's")
    asked = patient.wall()
    said = (await patient.database.now()).timestamp()
    lowest, highest = said - patient.wall(), said - asked
    offset = lowest if lowest > 0 else min(highest, 0.0)
    if abs(offset) > _MOST_OFFSET_SECONDS:
        where = "ahead of" if offset > 0 else "behind"
        return wrong(
            f"the database's clock is {abs(offset):.1f} s {where} this machine's, so times in logs "
            "and `run_at` mean another moment: let both follow NTP"
        )
    return well("the clocks agree within a second")


async def revision(patient: Patient) -> Finding:
    """Compare the schema with the one of this version."""
    found, ours = await migrations.current(patient.database), migrations.head()
    if found is None:
        return wrong("the database has no tables of taskq: run `taskq-server db upgrade`")
    if found < ours:
        return wrong(
            f"the database is at revision {found}, this version needs {ours}: run `taskq-server "
            "db upgrade`"
        )
    if found > ours:
        return wrong(
            f"the database is at revision {found}, this version knows {ours}: install the version "
            "that the other processes have"
        )
    return well(f"the schema is at revision {found}")


async def connections(patient: Patient) -> Finding:
    """Compare what one API and the live workers may open with what the server accepts."""
    most = (await _facts(patient)).most_connections
    if most is None:
        return well("there is no limit of connections")
    now = await patient.database.now()
    workers = max(1, len(await patient.database.read(lambda c: fleet.live(c, now))))
    each = patient.settings.database_pool_size + _BESIDE_THE_POOL
    needed = (1 + workers) * each
    number = "one worker" if workers == 1 else f"{workers} workers"
    said = f"an API and {number} with {each} connections each may open {needed}"
    if needed > most:
        return wrong(
            f"{said}, but the server lets this account open {most}: raise max_connections (or "
            "max_user_connections), or lower TASKQ_DATABASE_POOL_SIZE"
        )
    return well(f"{said} of {most}")


async def _facts(patient: Patient) -> ServerFacts:
    async with patient.database.readers.connect() as connection:
        return await patient.database.dialect.facts(connection)
