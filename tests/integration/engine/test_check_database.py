"""`taskq-server check` finds what is wrong with a database."""

import asyncio
import contextlib
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from taskq_server import migrations
from taskq_server.core.database import Connection
from tests.support.mariadb import MariaDBServer
from tests.support.patients import found_in, make_well, opened, wrong_in
from tests.support.proxy import Proxy, Side

AFTER_DATABASE = {
    *("database-version", "character-set", "isolation", "read-only", "clock", "revision"),
    *("database-writes", "connections", "keys", "namespaces", "workers", "handlers", "queues"),
    "retention",
}


@pytest.fixture
async def well(mariadb_url: str) -> str:
    """The URL of a migrated database with a worker and a key."""
    await make_well(mariadb_url)
    return mariadb_url


@contextlib.contextmanager
def variable(server: MariaDBServer, name: str, value: str) -> Iterator[None]:
    """Set a global variable of a server for a while."""
    before = server.sql(f"SELECT @@GLOBAL.{name}").strip()
    server.sql(f"SET GLOBAL {name} = {value}")
    try:
        yield
    finally:
        server.sql(f"SET GLOBAL {name} = {before if before.isdigit() else repr(before)}")


async def test_all_is_well_with_a_database_as_it_should_be(database_url: str) -> None:
    await make_well(database_url)
    found = await found_in(database_url)
    outcomes = {name: one.outcome for name, one in found.items()}
    redis = {name for name in outcomes if name.startswith("redis")}
    assert {name for name, outcome in outcomes.items() if outcome == "skipped"} == redis
    assert {outcome for name, outcome in outcomes.items() if name not in redis} == {"well"}
    assert len(outcomes) - len(redis) > 14


@pytest.mark.parametrize("name", ["read_only"])
async def test_a_server_that_only_reads(
    mariadb_server: MariaDBServer, well: str, name: str
) -> None:
    with mariadb_server.account(well) as plain, variable(mariadb_server, name, "1"):
        found = await wrong_in(plain)
        of_root = await wrong_in(well)
    assert set(found) == {"read-only", "database-writes"}
    assert f"({name} is on)" in found["read-only"]
    assert set(of_root) == {"read-only"}  # it may write all the same


async def test_an_account_without_the_right_to_write(
    mariadb_server: MariaDBServer, well: str
) -> None:
    with mariadb_server.account(well) as plain:
        name = plain.partition("//")[2].partition("@")[0]
        schema = name.replace("_", r"\_")
        mariadb_server.sql(f"REVOKE DELETE ON `{schema}`.* FROM {name}@'%'")
        found = await wrong_in(plain)
    assert set(found) == {"database-writes"}
    assert "rights" in found["database-writes"]


@pytest.mark.parametrize("wrong", ["latin1", "utf8mb3"])
async def test_a_database_of_another_character_set(
    mariadb_server: MariaDBServer, well: str, wrong: str
) -> None:
    name = well.rpartition("/")[2].partition("?")[0]
    mariadb_server.sql(f"ALTER DATABASE {name} CHARACTER SET {wrong}")
    found = await wrong_in(well)
    assert set(found) == {"character-set"}
    assert wrong in found["character-set"]


async def test_a_column_of_another_character_set(mariadb_server: MariaDBServer, well: str) -> None:
    name = well.rpartition("/")[2].partition("?")[0]
    mariadb_server.sql("ALTER TABLE tasks MODIFY title VARCHAR(255) CHARACTER SET latin1", name)
    mariadb_server.sql("CREATE TABLE somebodys (t TEXT) CHARACTER SET latin1", name)
    found = await wrong_in(well)
    assert set(found) == {"character-set"}
    assert "tasks.title" in found["character-set"]
    assert "somebodys" not in found["character-set"]


@pytest.mark.parametrize("usual", ["SERIALIZABLE", "READ-UNCOMMITTED"])
async def test_a_server_whose_other_sessions_are_in_the_way(
    mariadb_server: MariaDBServer, well: str, usual: str
) -> None:
    with variable(mariadb_server, "tx_isolation", f"'{usual}'"):
        found = await wrong_in(well)
    assert set(found) == {"isolation"}
    assert usual.replace("-", " ") in found["isolation"]


class _OwnIsolation(Proxy):
    """Gives each session another isolation than it asks for."""

    async def _talk(self, client: Side, server: Side) -> None:
        await asyncio.gather(
            self._change(client.reader, server.writer), self._forward(server.reader, client.writer)
        )

    async def _change(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            sink.write(data.replace(b"READ COMMITTED", b"SERIALIZABLE  "))
            await sink.drain()
        sink.close()


async def test_sessions_that_do_not_get_the_isolation_they_ask_for(
    mariadb_server: MariaDBServer, well: str
) -> None:
    with _OwnIsolation(mariadb_server.port) as between:
        found = await wrong_in(between.through(well))
    assert set(found) == {"isolation"}
    assert "get SERIALIZABLE" in found["isolation"]


async def test_a_log_that_refuses_writes_and_a_version_that_is_too_old() -> None:
    options = ("--log-bin", "--binlog-format=STATEMENT", "--version=10.5.9-MariaDB")
    with MariaDBServer(options=options) as server, server.database() as url:
        found = await wrong_in(url)
    assert {"isolation", "database-version"} <= set(found)
    assert "binlog_format=STATEMENT" in found["isolation"]
    assert "MariaDB 10.5.9 is too old" in found["database-version"]


async def test_a_schema_without_tables_of_an_older_and_of_a_newer_version(
    database_url: str,
) -> None:
    async with opened(database_url) as database:
        await migrations.upgrade(database, "0001")
        older = await wrong_in(database_url)
        await migrations.downgrade(database, "base")
        empty = await wrong_in(database_url)
        await migrations.upgrade(database)

        async def raise_revision(connection: Connection) -> None:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

        await database.write(raise_revision)
        newer = await wrong_in(database_url)
    assert set(older) == set(empty) == set(newer) == {"revision"}
    assert "at revision 0001" in older["revision"]
    assert "no tables" in empty["revision"]
    assert "install the version" in newer["revision"]


async def test_a_database_file_that_is_missing_stays_missing(sqlite_url: str) -> None:
    found = await wrong_in(sqlite_url)
    assert set(found) == {"database"}
    assert "db upgrade" in found["database"]
    assert set(await wrong_in(sqlite_url)) == {"database"}


@pytest.mark.parametrize(("ahead", "where"), [(3.0, "behind"), (-3.0, "ahead of")])
async def test_clocks_that_differ(well: str, ahead: float, where: str) -> None:
    found = await wrong_in(well, wall=lambda: time.time() + ahead)
    assert set(found) == {"clock"}
    assert f"3.0 s {where} this machine's" in found["clock"]


async def test_clocks_that_differ_by_less_than_a_second(well: str) -> None:
    assert await wrong_in(well, wall=lambda: time.time() + 0.5) == {}


async def test_more_connections_than_the_server_takes(
    mariadb_server: MariaDBServer, well: str
) -> None:
    with variable(mariadb_server, "max_connections", "30"):
        assert await wrong_in(well) == {}
        found = await wrong_in(well, database_pool_size=50)
    assert set(found) == {"connections"}
    assert "may open 104" in found["connections"]
    assert "open 30" in found["connections"]


async def test_more_connections_than_the_account_may_have(
    mariadb_server: MariaDBServer, well: str
) -> None:
    with mariadb_server.account(well) as plain:
        name = plain.partition("//")[2].partition("@")[0]
        mariadb_server.sql(f"GRANT USAGE ON *.* TO {name}@'%' WITH MAX_USER_CONNECTIONS 12")
        found = await wrong_in(plain)
    assert set(found) == {"connections"}
    assert "open 12" in found["connections"]


async def test_a_database_that_is_away_or_lets_nobody_in(well: str) -> None:
    port = well.partition("127.0.0.1:")[2].partition("/")[0]
    for wrong, said in (
        (well.replace(port, "1"), "[Errno 111]"),
        (well.replace("//root@", "//nobody:secret@"), "Access denied"),
    ):
        found = await found_in(wrong)
        assert found["database"].outcome == "wrong"
        assert said in found["database"].says
        assert "secret" not in str(found)
        assert {name for name, one in found.items() if one.outcome == "skipped"} >= AFTER_DATABASE


async def test_a_database_that_hangs_is_told_in_time(
    mariadb_server: MariaDBServer, well: str
) -> None:
    with Proxy(mariadb_server.port) as proxy:
        proxy.silence()
        began = time.monotonic()
        found = await wrong_in(proxy.through(well))
        assert time.monotonic() - began < 40
    assert "database" in found
