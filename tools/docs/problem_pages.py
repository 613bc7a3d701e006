"""docs/problems/: a page for each code that an answer can have, from the tree of errors."""

import inspect
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from taskq_server.api.problems import KINDS, Kind
from taskq_server.api.problems import example as example_of
from tools.docs.http_page import anchor, heading
from tools.docs.markdown import DOCS, json_block, table

BUG = """The server met an error that nobody has foreseen, which is a bug of taskq.

Look for the request id in the server's log, where the traceback is, and report it. The request \
may have been carried out: repeat it with the same idempotency key.
"""

HEAD = """\
# Problems

Every error of the API is a problem (RFC 9457) with one of these codes, and each code has a page.

The `code` is stable, so programs decide by it; `title` is the same for every problem of a code, \
`detail` tells people what happened this time, and `errors` points at the values that broke a \
rule. `request_id` is also in the header `X-Request-Id` and in the server's log.
"""


def pages() -> Iterator[tuple[str, str]]:
    """Return the path below docs/ of each page, and its text."""
    uses = _uses()
    rows = []
    for error, kind in KINDS.items():
        when, what_to_do = told(error)
        rows.append((f"[{kind.code}]({kind.code}.md)", str(kind.status), when))
        yield f"problems/{kind.code}.md", _page(kind, when, what_to_do, uses[kind.code])
    yield "problems/index.md", HEAD + "\n" + table(("Code", "Status", "When"), rows)


def told(error: type[Exception]) -> tuple[str, str]:
    """Return when an error happens and what to do then: what its docstring says.

    Raises:
        LookupError: the docstring does not say both.
    """
    docstring = BUG if error is Exception else inspect.cleandoc(error.__doc__ or "")
    when, _, what_to_do = docstring.partition("\n\n")
    if not when or not what_to_do:
        raise LookupError(f"say in the docstring of {error.__name__} when it happens, "
                          "and in a second paragraph what a caller can do")  # fmt: skip
    return " ".join(when.split()), " ".join(what_to_do.split())


def _page(kind: Kind, when: str, what_to_do: str, uses: Mapping[str, str]) -> str:
    example = json_block(example_of(kind))
    parts = [
        f"# {kind.code}\n\n{when}\n",
        f'Status {kind.status}, title "{kind.title}", type `urn:taskq:problem:{kind.code}`.\n',
        f"## What to do\n\n{what_to_do}\n",
        f"## What it looks like\n\n{example}",
        "## Where\n\n" + _where(uses),
        "[All problems](index.md)\n",
    ]
    return "\n".join(parts)


def _where(uses: Mapping[str, str]) -> str:
    if not uses:
        return "Before the request reaches an operation, so everywhere.\n"
    return "".join(f"* [{title}]({link})\n" for title, link in uses.items())


def _uses() -> Mapping[str, Mapping[str, str]]:
    document: dict[str, Any] = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for item in document["paths"].values():
        for operation in item.values():
            for answer in operation["responses"].values():
                content = answer.get("content", {}).get("application/problem+json", {})
                for code in content.get("examples", ()):
                    found[code][heading(operation)] = f"../{anchor(operation)}"
    return found
