"""taskq as on a network: it asks for keys, and every request shows one."""

from collections.abc import Mapping

from benchmarks.peers.taskq import Taskq
from tests.support.processes import run_server_command

_SCOPES = ("--scope=tasks:run:*", "--scope=tasks:read")


class WithKey(Taskq):
    """The key of an application that submits and reads."""

    name = "taskq-key"

    def use(self, database_url: str, redis_url: str) -> None:
        super().use(database_url, redis_url)
        done = run_server_command(["keys", "create", "bench", *_SCOPES], self.environment)
        if done.returncode:
            raise RuntimeError(done.stderr)
        self._key = done.stdout.strip()

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._key}"}
