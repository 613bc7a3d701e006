"""Files and folders that only this user can read, without following symbolic links."""

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
    """Close taskq's files in a folder to other users, and the folder if it has no other files."""
    names = set(os.listdir(folder))
    for name in names & _OURS:
        _close_to_others(folder / name, 0o600)
    if names <= _OURS:
        _close_to_others(folder, 0o700)
        _have_git_ignore(folder)


def open_file(path: Path) -> TextIO:
    """Open a file for reading and writing, and keep its content; make it if it is missing.

    Raises:
        ConfigurationError: the path is a symbolic link, or not a file.
        OSError: the file cannot be opened.
    """
    _require_file(path)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "r+")


def make_sqlite(path: Path) -> None:
    """Make a database file if it is missing; SQLite gives its side files the same mode.

    An existing file is not opened, because closing it would drop the locks that SQLite holds.

    Raises:
        ConfigurationError: the path, or that of a side file, is a symbolic link or not a file.
    """
    for suffix in _SQLITE_SUFFIXES:
        _require_file(Path(f"{path}{suffix}"))
    with contextlib.suppress(OSError):  # SQLite reports the error
        os.close(os.open(path, _NEW, 0o600))


def _require_file(path: Path) -> None:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return  # the path is free, or opening it will report the error
    if not stat.S_ISREG(mode):
        what = "a symbolic link" if stat.S_ISLNK(mode) else "no file"
        raise ConfigurationError(f"{path} is {what}: remove it, or name another place")


def _close_to_others(path: Path, mode: int) -> None:
    with contextlib.suppress(OSError):  # a missing or foreign file, or a disk without modes
        if not stat.S_ISLNK(os.lstat(path).st_mode):
            os.chmod(path, mode)


def _have_git_ignore(folder: Path) -> None:
    with (
        contextlib.suppress(OSError),  # the file exists, or the folder is read-only
        os.fdopen(os.open(folder / ".gitignore", _NEW, 0o600), "w") as ignored,
    ):
        ignored.write("*\n")
