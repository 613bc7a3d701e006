"""What the figures were measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from benchmarks.servers import Servers

_PACKAGES = (
    *("taskq-server", "taskq-client", "fastapi", "uvicorn", "sqlalchemy", "asyncmy", "arq"),
    *("celery", "dramatiq", "pgqueuer", "procrastinate", "asyncpg", "psycopg", "redis"),
)


def describe(servers: Servers) -> dict[str, str]:
    """Machine and versions, by name; only of servers that were started."""
    found = {
        "cpu": f"{os.cpu_count()} x {_cpu()}",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load at the end": ", ".join(f"{load:.1f}" for load in os.getloadavg()),
    }
    found |= servers.versions()
    return found | {name: version(name) for name in _PACKAGES}


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor()
    lines = info.read_text(encoding="utf-8").splitlines()
    return next((line.partition(": ")[2] for line in lines if "model name" in line), "?")
