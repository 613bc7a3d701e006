"""The servers of the tests do what fault tests rely on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.mariadb import ROOT_VARIABLE, MariaDBServer
from tests.support.servers import MissingServerError
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

_PARENT = """
import sys
from tests.support.valkey import ValkeyServer
server = ValkeyServer().start()
print(server.child.pid, server.folder, flush=True)
sys.stdin.read()
"""


def test_mariadb_keeps_its_data_when_it_is_killed() -> None:
    with MariaDBServer(flush_log=1) as server, server.database() as url:
        name = url.rpartition("/")[2].partition("?")[0]
        server.sql("CREATE TABLE t (n INT)", name)
        server.sql("INSERT INTO t VALUES (7)", name)
        server.kill()
        assert not server.running
        server.restart()
        assert server.sql("SELECT n FROM t", name) == "7\n"
        assert server.url(name) == url
        charset = "SELECT @@character_set_database"
        assert server.sql(charset, name) == "utf8mb4\n"
        folder = server.folder
    assert not folder.exists()


def test_an_account_has_rights_on_its_own_database_only() -> None:
    with MariaDBServer() as server, server.database() as mine, server.database() as other:
        with server.account(mine) as url:
            user, name = (url.partition("@")[0].rpartition("/")[2], url.rpartition("/")[2])
            allowed = ["CREATE TABLE t (n INT)", "INSERT INTO t VALUES (7)", "DROP TABLE t"]
            server.sql("; ".join(allowed), name.partition("?")[0], user=user)
            elsewhere = other.rpartition("/")[2].partition("?")[0]
            for refused in (f"USE {elsewhere}", "SET GLOBAL read_only = 1", "SHOW MASTER STATUS"):
                with pytest.raises(RuntimeError, match="denied"):
                    server.sql(refused, user=user)
        with pytest.raises(RuntimeError, match="denied"):
            server.sql("SELECT 1", user=user)


def test_a_missing_mariadb_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("tests.support.mariadb.SYSTEM_FOLDERS", ())
    with pytest.raises(MissingServerError, match=r"apt-get install .*mariadb-server-core"):
        MariaDBServer()


@pytest.mark.parametrize("unix", [False, True])
def test_valkey_comes_back_empty_on_the_same_address(unix: bool) -> None:
    with ValkeyServer(unix=unix) as server, server.client() as client:
        client.set("key", "value")
        url = server.url
        server.kill()
        server.start()
        assert server.url == url
        assert client.exists("key") == 0
        client.set("key", "value")
        server.flush()
        assert client.exists("key") == 0
        folder = server.folder
    assert not folder.exists()


def test_a_server_does_not_outlive_a_killed_test_run() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        pid, folder = parent.stdout.readline().split()
        os.kill(parent.pid, signal.SIGKILL)
    wait_until(lambda: _is_gone(int(pid)), timeout=5, what="server gone")
    log = Path(folder, "server.log")
    log.unlink()
    log.parent.rmdir()


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"
