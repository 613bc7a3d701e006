"""One run of one commit: an order goes to a process of its environment, numbers come back."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from benchmarks.servers import Servers
from tests.support.children import Child
from tests.support.processes import ROOT

_LONGEST = 900.0


class CannotMeasureError(RuntimeError):
    """Nothing can be measured; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one run is to do, and where.

    Attributes:
        scenario: its short name.
        count: how many tasks.
        database_url: an empty database.
        redis_url: an empty Redis.
        servers: the process ids of the servers, by name.
    """

    scenario: str
    count: int
    database_url: str
    redis_url: str
    servers: Mapping[str, int]

    def write(self) -> str:
        """As one word of a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Self:
        """What `write` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of it.

    Attributes:
        numbers: by measure; "…/s" are rates, "… ms" are times.
        cpu: microseconds of CPU for each task, by process.
    """

    numbers: Mapping[str, float]
    cpu: Mapping[str, float]

    def write(self) -> str:
        """As one line."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, output: str) -> Self:
        """What `write` wrote, as the last line of a process's output.

        Raises:
            CannotMeasureError: There is something else.
        """
        line = output.rstrip().rpartition("\n")[2]
        try:
            return cls(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise CannotMeasureError(f"a run gave no numbers, but:\n{output}") from error


def run_once(servers: Servers, python: Path, scenario: str, count: int, folder: Path) -> Run:
    """Let one commit do one scenario, on an empty database and an empty Redis.

    Args:
        servers: What both commits run on.
        python: The interpreter of the commit's environment.
        scenario: Its short name.
        count: How many tasks.
        folder: For temporary files.

    Raises:
        CannotMeasureError: The run failed; the message has its output.
    """
    servers.valkey.flush()
    with servers.mariadb.database() as url:
        order = Order(
            scenario=scenario,
            count=count,
            database_url=url,
            redis_url=servers.valkey.url,
            servers={"mariadb": servers.mariadb.child.pid, "valkey": servers.valkey.child.pid},
        )
        log = folder / "run.log"
        log.unlink(missing_ok=True)
        words = ["-m", "benchmarks.against.once", order.write()]
        child = Child([python, *words], log, env=_environment(), cwd=folder)
        try:
            code = child.wait(_LONGEST)
        finally:
            child.stop(timeout=5)  # killed, it takes all its processes along
        if code:
            raise CannotMeasureError(f"a run of {scenario} failed\n{child.output(6_000)}")
        return Run.read(child.output())


def _environment() -> dict[str, str]:
    """Nothing of the harness's own environment may be imported but this checkout's `benchmarks`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TASKQ_", "PYTHON"))
    }
    return {**kept, "PYTHONPATH": str(ROOT)}
