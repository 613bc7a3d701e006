"""Tell the service manager how this process is (sd_notify), if it has asked for that.

systemd names a datagram socket in NOTIFY_SOCKET for units of `Type=notify`, and in WATCHDOG_USEC
for how long a unit with `WatchdogSec=` may be silent. A message that does not arrive changes
nothing here.
"""

import contextlib
import logging
import os
import socket
import time
from collections.abc import MutableMapping
from typing import Self

_SOCKET = "NOTIFY_SOCKET"
_WATCHDOG_MICROSECONDS = "WATCHDOG_USEC"
_WATCHDOG_PID = "WATCHDOG_PID"
_SIGNS_IN_A_LIMIT = 3
_log = logging.getLogger("taskq.server")


class ServiceManager:
    """The service manager of this process, which hears nothing without an address.

    Args:
        address: of its socket: a path, or the name of an abstract socket after `@`; None for none.
        watchdog_seconds: for how long this process may be silent; None if it may always be.
    """

    def __init__(
        self, address: str | None = None, *, watchdog_seconds: float | None = None
    ) -> None:
        self._address = address
        self._pause = None if watchdog_seconds is None else watchdog_seconds / _SIGNS_IN_A_LIMIT
        self._next_sign = 0.0
        self._is_stopping = False

    @classmethod
    def of_environment(cls, variables: MutableMapping[str, str] = os.environ) -> Self:
        """Return the service manager that the environment names.

        Its variables leave the environment, so that no program that handlers start speaks for us.
        """
        address = variables.pop(_SOCKET, None)
        watchdog = variables.pop(_WATCHDOG_MICROSECONDS, "")
        is_ours = variables.pop(_WATCHDOG_PID, str(os.getpid())) == str(os.getpid())
        seconds = None
        if is_ours and watchdog.isascii() and watchdog.isdecimal() and int(watchdog):
            seconds = int(watchdog) / 1e6
        return cls(address, watchdog_seconds=seconds)

    def ready(self) -> None:
        """Tell that this process does its work from now on."""
        problem = self._tell("READY=1")
        if problem is not None:
            _log.warning("the service manager at NOTIFY_SOCKET cannot be told: %s", problem)

    def stopping(self) -> None:
        """Tell, the first time, that this process was told to end."""
        if not self._is_stopping:
            self._is_stopping = True
            self._tell("STOPPING=1")

    def alive(self) -> None:
        """Tell that this process lives, as often as its watchdog wants; call it more often."""
        now = time.monotonic()
        if self._pause is None or now < self._next_sign:
            return
        self._next_sign = now + self._pause
        self._tell("WATCHDOG=1")

    def _tell(self, message: str) -> str | None:
        """Send a message, and return why that is impossible."""
        if not self._address:
            return None
        if self._address[0] not in "/@":
            return "it is neither a path nor the name of an abstract socket"
        name = self._address.encode(errors="surrogateescape")
        if name.startswith(b"@"):
            name = b"\0" + name[1:]
        try:
            with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sender:
                sender.setblocking(False)  # a manager that does not read must not hold us up
                sender.sendto(message.encode(), name)
        except (OSError, ValueError) as error:
            return getattr(error, "strerror", None) or str(error)
        return None
