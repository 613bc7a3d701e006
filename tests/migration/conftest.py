"""A MariaDB for many changes of tables: it leaves out to wait for the disk."""

from collections.abc import Iterator

import pytest

from tests.support.calls import private_mariadb
from tests.support.mariadb import MariaDBServer


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDBServer]:
    options = ("--innodb-flush-method=nosync", "--debug-no-sync")
    with private_mariadb(options=options) as server:
        yield server
