"""The documents, and the blocks of code in them."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import ROOT

DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "README.zh-CN.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "examples" / "README.md",
    *sorted(ROOT.glob("packages/*/README.md")),
]

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4}.*\n)+", re.MULTILINE)
_MODULE = re.compile(r"# (\w+)\.py\n")
_PRINTS = "# prints:\n"


@dataclass(frozen=True)
class Block:
    """Code in a document; indented blocks have no language."""

    path: Path
    line: int
    language: str
    code: str

    @property
    def module(self) -> str | None:
        """The name of the module that this is to be saved as, said in its first line."""
        named = _MODULE.match(self.code)
        return named[1] if named else None

    @property
    def has_handlers(self) -> bool:
        """Whether this is a module that a worker loads."""
        return self.module is not None and "\n@handler" in self.code

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    """All blocks of some languages, in all documents."""
    return [block for path in DOCUMENTS for block in blocks_of(path) if block.language in languages]


def blocks_of(path: Path) -> list[Block]:
    """All blocks of a document."""
    text = path.read_text(encoding="utf-8")
    found = [Block(path, _line(text, m), m[1], m[2]) for m in _FENCED.finditer(text)]
    rest = _FENCED.sub(lambda m: "\n" * m[0].count("\n"), text)
    return found + [Block(path, _line(rest, m), "", m[0]) for m in _INDENTED.finditer(rest)]


def table_rows(path: Path, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without the table's head."""
    text = path.read_text(encoding="utf-8").partition(f"\n{heading}\n")[2]
    table = re.search(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert table is not None, f"{path.name} has no table below {heading}"
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in table[0].splitlines()[2:]]


def said_output(code: str) -> str | None:
    """What the `# prints:` block at the end of a script says; None without one."""
    _, found, after = code.partition(f"\n{_PRINTS}")
    if not found:
        return None
    return "".join(line.removeprefix("#").removeprefix(" ") for line in after.splitlines(True))


def meaning(code: str) -> str:
    """Python without comments and docstrings, which each page has in its language."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, kinds) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
    return ast.unparse(tree)


def matches(said: str, printed: str) -> bool:
    """Whether output is as it was said; `…` stands for anything within a line."""
    return re.fullmatch(re.escape(said).replace("…", "[^\n]+"), printed) is not None


def _line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start()) + 1
