"""Tracebacks for a terminal: without the frames in which taskq called the handler."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from rich.cells import cell_len
from rich.text import Text

from taskq_client.cli.lines import cut, hanging
from taskq_client.cli.words import ellipsis, plain_lines

_FRAME = re.compile(r'(?P<margin>(?:\s*\|)?\s*)File "(?P<path>.*)", line \d+')
_OWN = re.compile(r"[\\/]taskq_server[\\/]")
_BETWEEN = re.compile(r"[\\/](?:concurrent|asyncio|multiprocessing)[\\/]")
_CARETS = re.compile(r"[\s|~^]+")
_HEADER = re.compile(r"(?:\s*\|)?\s*Traceback \(most recent call last\):")


@dataclass
class _Piece:
    """A frame with its lines of source, or one other line, whose path is None."""

    lines: list[str]
    path: str | None = None
    margin: str = ""

    @property
    def is_own(self) -> bool:
        return self.path is not None and _OWN.search(self.path) is not None


def traceback_lines(text: str, width: int) -> Iterator[Text]:
    """Write the lines of a traceback, indented; paths that are too long lose their folders.

    Args:
        text: The text of the traceback.
        width: The width of the lines.
    """
    wrapped = False
    for line in plain_lines(without_own_frames(text)):
        if _CARETS.fullmatch(line):
            if not wrapped:
                yield Text().append(f"  {cut(line, width - 2)}", "dim")
            continue
        margin = line[: len(line) - len(line.lstrip(" |"))]
        words = _with_short_path(line, width - 2)[len(margin) :]
        found = hanging(words, width, first=f"  {margin}", rest=f"  {margin}    ")
        wrapped = len(found) > 1
        yield from found


def without_own_frames(traceback: str) -> str:
    """Leave out the frames of taskq, and a header that no frame follows.

    Args:
        traceback: The text of a traceback, with its causes and groups.
    """
    pieces = list(_pieces(traceback.splitlines()))
    kept = [piece for place, piece in enumerate(pieces) if not _is_taskqs(pieces, place)]
    return "\n".join(line for piece in _with_frames(kept) for line in piece.lines)


def _pieces(lines: list[str]) -> Iterator[_Piece]:
    frame: _Piece | None = None
    for line in lines:
        if frame is not None and line.startswith(f"{frame.margin}  "):
            frame.lines.append(line)
            continue
        if frame is not None:
            yield frame
            frame = None
        if found := _FRAME.match(line):
            frame = _Piece([line], found["path"], found["margin"])
        else:
            yield _Piece([line])
    if frame is not None:
        yield frame


def _is_taskqs(pieces: list[_Piece], place: int) -> bool:
    piece = pieces[place]
    if piece.is_own:
        return True
    # The pool of threads stands between the worker and a sync handler.
    between = piece.path is not None and _BETWEEN.search(piece.path) is not None
    neighbours = pieces[max(place - 1, 0) : place + 2]
    return between and len(neighbours) == 3 and neighbours[0].is_own and neighbours[2].is_own


def _with_frames(pieces: list[_Piece]) -> Iterator[_Piece]:
    for piece, following in zip_longest(pieces, pieces[1:]):
        bare = following is None or following.path is None
        if not (piece.path is None and bare and _HEADER.fullmatch(piece.lines[0])):
            yield piece


def _with_short_path(line: str, width: int) -> str:
    frame = _FRAME.match(line)
    path = frame["path"] if frame else ""
    folders = re.split(r"(?=[\\/])", path)
    shown = line
    while cell_len(shown) > width and len(folders) > 2:
        folders = folders[1:]
        shown = line.replace(path, f"{ellipsis()}{''.join(folders)}", 1)
    return shown
