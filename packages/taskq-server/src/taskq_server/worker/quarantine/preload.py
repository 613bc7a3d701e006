"""The module that only the forkserver of quarantine processes imports.

So the server has the modules of these processes in memory. The server ignores SIGTERM and SIGHUP,
as they do, because a service manager may signal every process while the worker still drains. The
server ends with the worker.
"""

import signal

from taskq_server.worker.quarantine import child as inside
from taskq_server.worker.quarantine import validation

__all__ = ["inside", "validation"]

for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
