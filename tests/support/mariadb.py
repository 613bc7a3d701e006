"""A private MariaDB server, and an empty database for each test that asks."""

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tests.support.debian import libraries
from tests.support.ports import free_port
from tests.support.servers import MissingServerError, Server

# Where an unpacked copy of the Debian packages is, if the system has none; see get_programs.py.
ROOT_VARIABLE = "TASKQ_TEST_PROGRAMS"
HOW_TO_INSTALL = (
    "install MariaDB (Debian and Ubuntu: `apt-get install --no-install-recommends "
    "mariadb-server-core mariadb-client-core`; Fedora: `dnf install mariadb-server`; macOS: `brew "
    "install mariadb`), or run the tests with `nox -s tests`, which gets it on Debian and Ubuntu."
)
# Debian's server is in a folder that the PATH of a normal user leaves out.
SYSTEM_FOLDERS: tuple[str, ...] = ("/usr/sbin", "/usr/local/sbin")


class MariaDBServer(Server):
    """MariaDB in a temporary folder, on a loopback port, user root without a password.

    Args:
        flush_log: innodb_flush_log_at_trx_commit. 2 keeps every commit when only the process is
            killed; 1 is what production has, 0 loses the last second.
        options: More options of mariadbd, for example `--max-connections=500`.

    Attributes:
        variables: What the server has in its environment besides, from its next start on.
    """

    name = "mariadb"

    def __init__(self, *, flush_log: int = 2, options: tuple[str, ...] = ()) -> None:
        self._programs = Programs()
        super().__init__()
        self._options = options
        self.variables: dict[str, str] = {}
        self.flush_log = flush_log
        self.port = free_port()
        self.socket = self.folder / "m.sock"
        self.data = self.folder / "data"
        self.temporary = self.folder / "tmp"

    def url(self, database: str) -> str:
        """What TASKQ_DATABASE_URL wants."""
        return f"mysql+asyncmy://root@127.0.0.1:{self.port}/{database}?charset=utf8mb4"

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new, empty utf8mb4 database that is dropped at the end."""
        name = f"taskq_{secrets.token_hex(6)}"
        self.sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        try:
            yield self.url(name)
        finally:
            if self.running:
                self.sql(f"DROP DATABASE {name}")

    @contextmanager
    def account(self, url: str) -> Iterator[str]:
        """The URL of an account that has all rights on this database, and none elsewhere.

        Its name is that of the database.
        """
        name = url.rpartition("/")[2].partition("?")[0]
        schema = name.replace("_", r"\_")  # a bare one stands for any character
        self.sql(f"CREATE USER {name}@'%'; GRANT ALL ON `{schema}`.* TO {name}@'%'")
        try:
            yield url.replace("root@", f"{name}@")
        finally:
            if self.running:
                self.sql(f"DROP USER {name}@'%'")

    def sql(self, statement: str, database: str = "", *, user: str = "root") -> str:
        """Run SQL through the command line client; columns are separated by tabs."""
        command: list[str | Path] = [self._programs.client, "--no-defaults", f"--user={user}"]
        command += [f"--socket={self.socket}", "--batch", "--skip-column-names"]
        return self._run([*command, f"--execute={statement}", database])

    def start(self) -> Self:
        """Start the server, the first time with a new data directory."""
        if not self.data.exists():
            self._install()
        return super().start()

    def _install(self) -> None:
        command: list[str | Path] = [self._programs.install, *self._programs.common]
        self.temporary.mkdir(exist_ok=True)
        command += [f"--datadir={self.data}", f"--tmpdir={self.temporary}", "--skip-test-db"]
        self._run([*command, "--auth-root-authentication-method=normal"])

    def _run(self, command: list[str | Path]) -> str:
        done = subprocess.run(
            command,
            env=self._programs.env,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{Path(command[0]).name} failed\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def _argv(self) -> list[str | Path]:
        return [
            self._programs.server,
            *self._programs.common,
            f"--lc-messages-dir={self._programs.share}",
            f"--datadir={self.data}",
            f"--tmpdir={self.temporary}",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            f"--socket={self.socket}",
            f"--pid-file={self.folder / 'pid'}",
            "--skip-log-bin",
            "--skip-name-resolve",
            f"--innodb-flush-log-at-trx-commit={self.flush_log}",
            *self._options,
        ]

    def _env(self) -> dict[str, str]:
        return {**self._programs.env, **self.variables}

    def _answers(self) -> bool:
        """The server greets whoever connects, once it can serve."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return bool(connection.recv(1))
        except OSError:
            return False


class Programs:
    """Where MariaDB's programs are, in the system or in an unpacked tree.

    Args:
        root: The unpacked tree, if not that of the environment variable.

    Raises:
        MissingServerError: They are in neither.
    """

    def __init__(self, root: Path | str | None = None) -> None:
        root = root or os.environ.get(ROOT_VARIABLE, "")
        self.env: dict[str, str] = dict(os.environ)
        if root:
            self.env["LD_LIBRARY_PATH"] = libraries(root)
            folders = [f"{root}/usr/sbin", f"{root}/usr/bin"]
            self.env["PATH"] = os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])
        self._path = os.pathsep.join([self.env.get("PATH", os.defpath), *SYSTEM_FOLDERS])
        self.server = self._find("mariadbd")
        self.install = self._find("mariadb-install-db")
        self.client = self._find("mariadb")
        base = self.install.resolve().parent.parent
        shares = [base / "share" / "mysql", base / "share" / "mariadb"]
        self.share = next((share for share in shares if share.exists()), shares[0])
        as_root = ["--user=root"] if os.geteuid() == 0 else []
        self.common: list[str] = ["--no-defaults", f"--basedir={base}", *as_root]

    def _find(self, program: str) -> Path:
        found = shutil.which(program, path=self._path)
        if found is None:
            raise MissingServerError(f"`{program}` is missing: {HOW_TO_INSTALL}")
        return Path(found)
