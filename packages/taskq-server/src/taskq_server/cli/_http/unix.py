"""Listening on a Unix socket: its file, who may open it, and what an earlier process left there."""

import contextlib
import errno
import fcntl
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from taskq_server.domain.errors import ConfigurationError

_NOT_FOR_OTHERS = 0o117  # leaves the user and the group to read and write
_ANSWER_SECONDS = 1.0
_LOCK_SECONDS = 5.0
_AGAIN_SECONDS = 0.02


def listen(path: Path, backlog: int) -> socket.socket:
    """Listen on a Unix socket that this user and this group may open, whatever the umask is.

    Args:
        path: its file; one that nobody listens on any more is replaced.
        backlog: most connections that wait to be accepted.

    Raises:
        ConfigurationError: another process listens on it, or no socket can be there.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _alone_beside(path):
            _clear(path)
            _bind(listener, path)
            listener.listen(backlog)
    except ConfigurationError:
        listener.close()
        raise
    except OSError as error:
        listener.close()
        raise _unusable(path, str(error.strerror or error)) from error
    return listener


def remove(path: Path) -> None:
    """Remove the file of a socket that nobody listens on any more."""
    with contextlib.suppress(OSError, ConfigurationError), _alone_beside(path):
        _clear(path)


@contextlib.contextmanager
def _alone_beside(path: Path) -> Iterator[None]:
    """Lock the folder: of two processes that start at once, the second finds the first."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise _unusable(path, "another process has locked the folder") from None
                time.sleep(_AGAIN_SECONDS)
        yield
    finally:
        os.close(folder)


def _clear(path: Path) -> None:
    """Remove what a dead process left, and nothing else."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise _unusable(path, "there is something else than a socket")
    if _is_alive(path):
        raise _unusable(path, "another process listens on it")
    path.unlink()


def _is_alive(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(_ANSWER_SECONDS)
        try:
            caller.connect(str(path))
        except OSError as error:
            return error.errno != errno.ECONNREFUSED  # it may be busy, or not for us to open
    return True


def _bind(listener: socket.socket, path: Path) -> None:
    before = os.umask(_NOT_FOR_OTHERS)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)


def _unusable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(f"cannot listen on {path} ({why}): choose another --uds (TASKQ_UDS)")
