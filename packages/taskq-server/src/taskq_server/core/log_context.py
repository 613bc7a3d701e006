"""What lines of the log are about: a request, an attempt, or work that is done for many callers.

The code that begins such work says what it is about, and every line of the code below has these
fields. They are made only for a line that is written, so that saying it costs next to nothing.

Work for several callers runs `apart`, in a context that has nothing of any of them: the line of one
caller's request would else name another one's task.
"""

from collections.abc import Callable, Mapping
from contextvars import Context, ContextVar, Token
from types import TracebackType

Fields = Mapping[str, str | int]
"""Fields of a line: texts and numbers by their names."""

Subject = Callable[[], Fields]
"""Returns the fields of the lines that are written now."""

_subject: ContextVar[Subject] = ContextVar("taskq_log_subject", default=dict)


def fields() -> Fields:
    """Return the fields of a line that is written now."""
    return _subject.get()()


def fields_in(context: Context) -> Fields:
    """Return the fields of a line that would be written in a context."""
    return context.get(_subject, dict)()


class About:
    """A block whose lines have the fields that a function returns when one is written.

    Args:
        subject: returns the fields; it must not raise.
    """

    __slots__ = ("_subject", "_token")

    def __init__(self, subject: Subject) -> None:
        self._subject = subject

    def __enter__(self) -> None:
        self._token: Token[Subject] = _subject.set(self._subject)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        _subject.reset(self._token)


def about_group(name: str, items: int | None = None) -> About:
    """Return a block that works for many callers at once.

    Args:
        name: of the group.
        items: how many it works for; None if it does not know.
    """
    found: Fields = {"group": name} if items is None else {"group": name, "items": items}
    return About(lambda: found)


def apart(group: str) -> Context:
    """Return a new context for work that is done for many callers, with nothing of any of them.

    Args:
        group: the name of that work.
    """
    context = Context()
    context.run(_subject.set, lambda: {"group": group})
    return context
