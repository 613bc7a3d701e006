"""Lines for a terminal that fit its width: columns without a grid, and text cut at words."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from taskq_client.cli.words import STYLES, ellipsis, plain, sign

GAP = 2


def cut(text: str, width: int) -> str:
    """Shorten a text to a width, with an ellipsis for what is missing."""
    if cell_len(text) <= width:
        return text
    end = ellipsis()
    return set_cell_size(text, max(width - len(end), 0)).rstrip() + end


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Fill a text up to a width, on its right, or on its left if it is `right`."""
    missing = " " * max(width - cell_len(text), 0)
    return missing + text if right else text + missing


def widest(cells: Iterable[str]) -> int:
    """Measure the widest of some texts."""
    return max(map(cell_len, cells), default=0)


def state(status: str) -> Text:
    """Write a status with its sign and colour."""
    return Text().append(f"{sign(status)} {plain(status)}", STYLES.get(status, ""))


def columns(
    rows: Sequence[Sequence[str]], styles: Sequence[str], right: Iterable[int] = ()
) -> list[Text]:
    """Put rows into columns of one width each; a column without a text is left out.

    Args:
        rows: The cells of each row; the first row is the header.
        styles: The style of each column.
        right: The columns that are aligned on the right.
    """
    widths = [widest(cells) for cells in zip(*rows, strict=True)]
    lines = []
    for number, row in enumerate(rows):
        line = Text()
        for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
            if width:
                style = "bold" if number == 0 else styles[place]
                line.append(" " * GAP if line else "")
                line.append(pad(cell, width, right=place in right), style)
        lines.append(line)
    return lines


def hanging(text: str | Text, width: int, *, first: str = "", rest: str = "") -> list[Text]:
    """Wrap a text at its words; a longer word stays whole.

    Args:
        text: The text, without line ends.
        width: The width of the lines.
        first: What the first line begins with.
        rest: What the other lines begin with.
    """
    words = text if isinstance(text, Text) else Text(text)
    lines, line = [], Text(first)
    empty = True
    for word in words.split(" "):
        if not empty and cell_len(line.plain) + 1 + cell_len(word.plain) > width:
            lines.append(line)
            line, empty = Text(rest), True
        line.append(" " if not empty else "").append_text(word)
        empty = False
    return [*lines, line]


def join(lines: Iterable[Text]) -> Text:
    """Join lines to one text."""
    found = list(lines)
    for line in found:
        line.rstrip()
    return Text("\n").join(found)
