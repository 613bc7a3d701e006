"""Whether a command prints what a page says that it prints."""

import re
from dataclasses import dataclass, field

ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_SHORTEST_PREFIX = 8
_ALIKE = {
    "anything": ("…", "[^\n]+?"),
    "id": (ID, ID),
    "time": (
        r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?",
        r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?",
    ),
    "day": (r"\d{4}-\d\d-\d\d", r"\d{4}-\d\d-\d\d"),
    "hour": (r"\d\d:\d\d:\d\d(?:\.\d+)?", r"\d\d:\d\d:\d\d(?:\.\d+)?"),
    "duration": (
        r"\d+(?:\.\d+)? ?(?:ms|s|min|h|d)\b",
        r"\d+(?:\.\d+)? ?(?:ms|s|min|h|d)(?: \d+ (?:s|min|h))?",
    ),
    "version": (r"\b\d+\.\d+\.\d+\b", r"\d+\.\d+\.\d+\w*"),
    "gap": (r" {2,}", " +"),
}
"""What stands for all of its kind: how it looks in a page, and in an output."""
_LOOKS = re.compile("|".join(f"(?P<{name}>{looks})" for name, (looks, _) in _ALIKE.items()))


@dataclass
class Ids:
    """The ids that a page shows, and those that were printed in their place."""

    real: dict[str, str] = field(default_factory=dict)

    def matches(self, said: str, printed: str, *, more: bool = False) -> bool:
        """Whether the output is as it was said; remember the ids in it.

        Args:
            said: by the page.
            printed: by the command.
            more: whether it may go on after what was said.
        """
        new: list[str] = []
        pattern = "".join(self._line(line, new) for line in said.splitlines())
        found = re.fullmatch(pattern + "(?:[^\n]*\n)*" * more, _plain(printed))
        if found is not None:
            self.real |= dict(zip(new, found.groups(), strict=True))
        return found is not None

    def in_command(self, command: str) -> str:
        """Return a command with the real ids; it may name the beginning of one."""

        def real(match: re.Match[str]) -> str:
            known = [mine for said, mine in self.real.items() if said.startswith(match[0])]
            return known[0] if known else match[0]

        return re.sub(rf"\b[0-9a-f][0-9a-f-]{{{_SHORTEST_PREFIX - 1},}}", real, command)

    def _line(self, said: str, new: list[str]) -> str:
        if said.strip() == "…":
            return "(?:[^\n]*\n)*?"
        parts, end = [], 0
        for match in _LOOKS.finditer(said.rstrip()):
            parts += [re.escape(said[end : match.start()]), self._alike(match, new)]
            end = match.end()
        return "".join([*parts, re.escape(said.rstrip()[end:]), " *\n"])

    def _alike(self, match: re.Match[str], new: list[str]) -> str:
        kind = match.lastgroup or ""
        if kind != "id":
            return _ALIKE[kind][1]
        if match[0] in self.real:
            return re.escape(self.real[match[0]])
        if match[0] in new:
            return rf"\{new.index(match[0]) + 1}"
        new.append(match[0])
        return f"({ID})"


def _plain(printed: str) -> str:
    text = re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", printed.replace("\r\n", "\n"))
    return text if not text or text.endswith("\n") else f"{text}\n"
