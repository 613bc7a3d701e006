"""Files that only this user can read, and that lie where their names say."""

import contextlib
import os
import stat
from pathlib import Path
from typing import TextIO

from taskq_server.domain.errors import ConfigurationError

_SQLITE_SUFFIXES = ("", "-wal", "-shm", "-journal")
_OURS = {"lock", ".gitignore", *(f"taskq.db{suffix}" for suffix in _SQLITE_SUFFIXES)}
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC  # with O_EXCL, no link is followed


def make_folder(folder: Path) -> None:
    """Make a folder that only this user can enter and that git ignores, unless it is there."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
        _have_git_ignore(folder)


def tighten(folder: Path) -> None:
    """Close the files of a data folder to other users, and the folder if nothing else is in it."""
    names = set(os.listdir(folder))
    for name in names & _OURS:
        _close_to_others(folder / name, 0o600)
    if names <= _OURS:
        _close_to_others(folder, 0o700)
        _have_git_ignore(folder)


def open_file(path: Path) -> TextIO:
    """Open a file to read and write, and make it first if it is not there; what it holds stays.

    Raises:
        ConfigurationError: a link or something else that is no file is in its place.
        OSError: it cannot be opened.
    """
    _require_file(path)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "r+")


def make_sqlite(path: Path) -> None:
    """Make a database file unless it is there; SQLite gives the files beside it the same mode.

    One that is there is not opened: to close it again would drop the locks that SQLite holds.

    Raises:
        ConfigurationError: a link or something else that is no file is in its place, or in that
            of a file beside it.
    """
    for suffix in _SQLITE_SUFFIXES:
        _require_file(Path(f"{path}{suffix}"))
    with contextlib.suppress(OSError):  # SQLite says what is wrong
        os.close(os.open(path, _NEW, 0o600))


def _require_file(path: Path) -> None:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return  # it is not there, or whoever opens it says what is wrong
    if not stat.S_ISREG(mode):
        what = "a symbolic link" if stat.S_ISLNK(mode) else "no file"
        raise ConfigurationError(f"{path} is {what}: remove it, or name another place")


def _close_to_others(path: Path, mode: int) -> None:
    with contextlib.suppress(OSError):  # it is gone, another user's, or on a disk without modes
        if not stat.S_ISLNK(os.lstat(path).st_mode):
            os.chmod(path, mode)


def _have_git_ignore(folder: Path) -> None:
    with (
        contextlib.suppress(OSError),  # it has one, or cannot be written to
        os.fdopen(os.open(folder / ".gitignore", _NEW, 0o600), "w") as ignored,
    ):
        ignored.write("*\n")
