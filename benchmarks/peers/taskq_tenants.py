"""taskq for one namespace, or for 200 with one worker for all of them."""

from collections.abc import Mapping
from typing import ClassVar

from benchmarks.peers.taskq import Taskq


class OneNamespace(Taskq):
    """A worker of `default` alone, which is all that there is."""

    name = "one namespace"
    others: ClassVar[int] = 0

    def prepare(self) -> None:
        super().prepare()
        if self.others:
            self.sql.run(
                "INSERT INTO namespaces (name, created_at) SELECT CONCAT('tenant-', seq), NOW(6)"
                f" FROM seq_1_to_{self.others}"
            )

    def start_worker(self) -> None:
        super().start_worker()
        query = "SELECT COUNT(*) FROM workers WHERE handlers LIKE '%bench.noop%'"
        self.wait(lambda: self.sql.number(query) == 1, 30, "a worker is there")


class ManyNamespaces(OneNamespace):
    """A worker of `*`, and 199 namespaces besides `default`."""

    name = "200 namespaces"
    others = 199

    @property
    def environment(self) -> Mapping[str, str]:
        return {**super().environment, "TASKQ_NAMESPACES": "*"}
