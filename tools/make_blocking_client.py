"""Write the blocking client, `_sync*.py`, from the asyncio client, `_async*.py`.

    python tools/make_blocking_client.py            # after a change of an `_async*.py`
    python tools/make_blocking_client.py --check    # show the difference, and fail if there is one

* `async` and `await` are removed.
* `finish(…)` surrounds an awaited call of the core, `self._core.PART.OPERATION(…)`. `iterate(…)`
  surrounds any other, which is an async generator. A blocking channel suspends neither.
* Names change as in `NAMES`; another `Async…` loses its prefix, and `_async…` becomes `_sync…`.
* `AsyncGenerator[T, None]` becomes `Generator[T, None, None]`.
* Docstrings and comments stay, except for `WORDS`. Comments that begin with `# sync:` replace the
  docstring above them, where that one is not true of the blocking client.
* ruff sorts the imports and formats the code.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from difflib import unified_diff
from io import StringIO
from itertools import takewhile
from pathlib import Path
from subprocess import PIPE, run
from tokenize import DEDENT, INDENT, NAME, NEWLINE, NL, STRING, TokenInfo, generate_tokens

ROOT = Path(__file__).parent.parent
CLIENT = ROOT / "packages" / "taskq-client" / "src" / "taskq_client"

HEAD = "# Made by tools/make_blocking_client.py from {source}, so change that file.\n"
NAMES = {
    "AsyncChannel": "BlockingChannel",
    "AsyncWaits": "BlockingWaits",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "aclose": "close",
    "aclosing": "closing",
}
WORDS = {"asyncio client": "blocking client"}
DRIVERS = ("finish", "iterate")
MARK = "# sync:"
LAYOUT = {DEDENT, INDENT, NEWLINE, NL}
CLOSING = {"(": ")", "[": "]"}

Edit = tuple[tuple[int, int], tuple[int, int], str]
"""The start and the end of a piece of the source, as row and column, and its replacement."""


def main() -> None:
    """Write or compare, as the command line says."""
    differences = list(changes(CLIENT))
    if "--check" not in sys.argv:
        for path, _, new in differences:
            path.write_text(new, encoding="utf-8")
    elif differences:
        for path, old, new in differences:
            names = path.name, f"{path.name}, as made"
            sys.stdout.writelines(unified_diff(old.splitlines(True), new.splitlines(True), *names))
        sys.exit("the blocking client is out of date: run tools/make_blocking_client.py")


def changes(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """Yield each blocking module that is out of date, with the old text and the new text."""
    for source in sorted(folder.rglob("_async*.py")):
        path = source.with_name(source.name.replace("_async", "_sync", 1))
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        new = blocking(source.read_text(encoding="utf-8"), source)
        if old != new:
            yield path, old, new


def blocking(text: str, source: Path) -> str:
    """Return the blocking module for the text of an asyncio module."""
    tokens = [one for one in generate_tokens(StringIO(text).readline) if one.type not in LAYOUT]
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    pieces, done = [HEAD.format(source=source.name)], 0
    for start, end, replacement in sorted(edits(tokens)):
        pieces += text[done : starts[start[0] - 1] + start[1]], replacement
        done = starts[end[0] - 1] + end[1]
    code = "".join([*pieces, text[done:]])
    if drivers := [name for name in DRIVERS if f"{name}(self._core" in code]:
        line = f"from taskq_client._channels import {', '.join(drivers)}\n"
        code = code.replace("from taskq_client", f"{line}from taskq_client", 1)
    return formatted(code, source)


def edits(tokens: Sequence[TokenInfo]) -> Iterator[Edit]:
    """Yield the changes that the rules make."""
    for index, token in enumerate(tokens):
        before, after = tokens[index - 1], tokens[(index + 1) % len(tokens)]
        if token.string in ("async", "await"):
            yield token.start, after.start, ""
        elif is_call_of_core(tokens[index : index + 8]):
            driver = DRIVERS[0] if before.string == "await" else DRIVERS[1]
            end = tokens[closing(tokens, index + 7)].end
            yield token.start, token.start, f"{driver}("
            yield end, end, ")"
        elif token.type == NAME:
            if token.string == "AsyncGenerator" and after.string == "[":
                end = tokens[closing(tokens, index + 1)].start
                yield end, end, ", None"
            yield token.start, token.end, renamed(token.string)
        elif token.type == STRING and token.string.startswith('"""'):
            marked = [*takewhile(lambda one: one.string.startswith(MARK), tokens[index + 1 :])]
            yield token.start, token.end, docstring(token, marked)
            yield from ((comment.start, comment.end, "") for comment in marked)


def renamed(name: str) -> str:
    """Return the name in the blocking client."""
    return NAMES.get(name) or re.sub("^_async", "_sync", re.sub("^Async", "", name))


def is_call_of_core(tokens: Sequence[TokenInfo]) -> bool:
    """Tell whether these eight tokens begin a call of an operation."""
    words = [token.string for token in tokens]
    return words[:4] == ["self", ".", "_core", "."] and words[5:6] + words[7:] == [".", "("]


def closing(tokens: Sequence[TokenInfo], opening: int) -> int:
    """Return the index of the bracket that closes an opening bracket."""
    first, depth = tokens[opening].string, 0
    for index in range(opening, len(tokens)):
        depth += {first: 1, CLOSING[first]: -1}.get(tokens[index].string, 0)
        if depth == 0:
            return index
    raise SyntaxError(f"line {tokens[opening].start[0]}: the bracket is never closed")


def docstring(token: TokenInfo, marked: Sequence[TokenInfo]) -> str:
    """Return the docstring in the blocking client, or the marked one."""
    if not marked:
        return re.sub("|".join(WORDS), lambda found: WORDS[found[0]], token.string)
    lines = [one.string.removeprefix(MARK).removeprefix(" ") for one in marked]
    indent = "\n" + " " * token.start[1]
    return '"""' + indent.join(lines) + (indent if lines[1:] else "") + '"""'


def formatted(code: str, source: Path) -> str:
    """Return code as ruff sorts and formats it."""
    place = (f"--config={ROOT / 'pyproject.toml'}", f"--stdin-filename={source}", "-")
    for command in (("check", "--fix", "--quiet", "--select=I"), ("format",)):
        ruff = [sys.executable, "-m", "ruff", *command, *place]
        code = run(ruff, input=code, stdout=PIPE, text=True, check=True).stdout
    return code


if __name__ == "__main__":
    main()
