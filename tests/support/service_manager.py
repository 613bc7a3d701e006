"""The side of a service manager: the socket that NOTIFY_SOCKET names."""

import socket
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4


class NotifySocket:
    """A socket that hears what services say, as a context manager.

    Args:
        folder: Where it lies; None stands for an abstract socket, which lies nowhere.
    """

    def __init__(self, folder: Path | None) -> None:
        self.address = f"@taskq-{uuid4()}" if folder is None else str(folder / "notify")
        self.heard: list[str] = []

    def __enter__(self) -> Self:
        """Listen."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address.replace("@", "\0") if "@" in self.address else self.address)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Listen no more."""
        self._socket.close()

    def wait_for(self, *messages: str, seconds: float = 60) -> list[str]:
        """Return what was heard, once it ends with these messages, signs of life apart.

        Raises:
            TimeoutError: Nothing is heard for so long.
        """
        self._socket.settimeout(seconds)
        while [one for one in self.heard if one != "WATCHDOG=1"][-len(messages) :] != [*messages]:
            self.heard.append(self._socket.recv(4_096).decode())
        return self.heard

    def wait_for_signs(self, count: int, seconds: float = 60) -> None:
        """Return when so many signs of life have come.

        Raises:
            TimeoutError: None comes for so long.
        """
        self._socket.settimeout(seconds)
        while self.heard.count("WATCHDOG=1") < count:
            self.heard.append(self._socket.recv(4_096).decode())
