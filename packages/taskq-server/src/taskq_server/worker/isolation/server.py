"""Imported by the server that forks the processes of suspects, and by nothing else.

It has what they need in memory. It ignores SIGTERM, as they do: a service manager may tell every
process to stop, and the worker still drains. It ends with the worker.
"""

import signal

from taskq_server.worker.isolation import inside

__all__ = ["inside"]

signal.signal(signal.SIGTERM, signal.SIG_IGN)
