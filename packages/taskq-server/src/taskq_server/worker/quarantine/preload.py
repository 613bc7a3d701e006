"""Imported by the server that forks processes for what a worker must survive, by nothing else.

It has what they need in memory. It ignores SIGTERM and SIGHUP, as they do: a service manager may
tell every process to stop, and the worker still drains. It ends with the worker.
"""

import signal

from taskq_server.worker.quarantine import child as inside
from taskq_server.worker.quarantine import validation

__all__ = ["inside", "validation"]

for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
