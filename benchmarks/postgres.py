"""A private PostgreSQL, durable as it is by default, for the peers that need one."""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.support.ports import free_port
from tests.support.servers import MissingServerError, Server

ROOT_VARIABLE = "TASKQ_BENCH_POSTGRES_ROOT"


class PostgresServer(Server):
    """PostgreSQL in a temporary folder, on a loopback port, user bench without a password."""

    name = "postgres"

    def __init__(self) -> None:
        self._programs = programs()
        super().__init__()
        self.port = free_port()
        self._data = self.folder / "data"
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody", "nogroup")

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new, empty database that is dropped at the end."""
        name = f"bench_{secrets.token_hex(6)}"
        self._sql(f"CREATE DATABASE {name}")
        try:
            yield self._url(name)
        finally:
            self._sql(f"DROP DATABASE {name} WITH (FORCE)")

    def version(self) -> str:
        """What the server says it is."""
        with psycopg.connect(self._url("postgres")) as connection:
            return connection.info.parameter_status("server_version") or "?"

    def stop(self) -> None:
        """Stop it without waiting for its clients."""
        if self.running:
            self.child.signal(signal.SIGINT)
            self.child.wait()

    def start(self) -> "PostgresServer":
        """Start the server, the first time with a new data directory."""
        if not self._data.exists():
            command = [*_as_nobody(), self._programs / "initdb", "-D", self._data, "-U", "bench"]
            done = subprocess.run(
                [*command, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
                capture_output=True, text=True, check=False, cwd=self.folder, env=self._env(),
            )  # fmt: skip
            if done.returncode:
                raise RuntimeError(f"initdb failed\n{done.stdout}\n{done.stderr}")
        super().start()
        return self

    def _env(self) -> dict[str, str]:
        """The libraries of an unpacked tree, if the programs come from one."""
        libraries = self._programs.parents[3].glob("lib/*-linux-*")
        return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries))}

    def _argv(self) -> list[str | Path]:
        address = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder)]
        return [*_as_nobody(), self._programs / "postgres", "-D", self._data, *address]

    def _answers(self) -> bool:
        try:
            self._sql("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _url(self, database: str) -> str:
        return f"postgresql://bench@127.0.0.1:{self.port}/{database}"

    def _sql(self, statement: str) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


def programs(root: Path | None = None) -> Path:
    """The folder of the server's programs, in the system or in an unpacked tree.

    Raises:
        MissingServerError: There is none.
    """
    unpacked = root or Path(os.environ.get(ROOT_VARIABLE, "/"))
    for tree in (Path("/"), unpacked):
        for folder in sorted(tree.glob("usr/lib/postgresql/*/bin"), reverse=True):
            if (folder / "initdb").exists():
                return folder
    if found := shutil.which("initdb"):
        return Path(found).parent
    raise MissingServerError(
        "PostgreSQL is missing: install it (Debian and Ubuntu: `apt-get install postgresql`)"
    )


def _as_nobody() -> list[str | Path]:
    """PostgreSQL refuses to run as root. Whoever changes user loses the tie to its parent."""
    if os.geteuid() != 0:
        return []
    user = ["--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    return ["setpriv", *user, "--pdeathsig=INT"]
