"""Errors that nobody expects, and errors that break whoever looks at them."""

import asyncio
import math
import threading
from collections.abc import Callable
from typing import Any, NoReturn

from taskq_server import Retry


class Strange(BaseException):
    """Not even an `Exception`."""


def recursion() -> NoReturn:
    """Never come to an end."""
    recursion()


RAISED: dict[str, Callable[[], BaseException]] = {
    "KeyError": lambda: KeyError("broken"),
    "ZeroDivisionError": lambda: ZeroDivisionError("broken"),
    "TypeError": lambda: TypeError("broken"),
    "MemoryError": lambda: MemoryError("broken"),
    "StopIteration": lambda: StopIteration("broken"),
    "StopAsyncIteration": lambda: StopAsyncIteration("broken"),
    "SystemExit": lambda: SystemExit(3),
    "KeyboardInterrupt": lambda: KeyboardInterrupt(),
    "GeneratorExit": lambda: GeneratorExit("broken"),
    "CancelledError": lambda: asyncio.CancelledError("broken"),
    "Strange": lambda: Strange("broken"),
    "ExceptionGroup": lambda: ExceptionGroup("broken", [KeyError("a"), OSError("b")]),
    "BaseExceptionGroup": lambda: BaseExceptionGroup("broken", [SystemExit(3), Strange()]),
    "RecursionError": recursion,
}
"""By the name of their class."""


def fail(kind: str) -> NoReturn:
    """Raise the error of this name."""
    raise RAISED[kind]()


class Silent(ValueError):
    """Has no words, and none about itself either."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


class Leaving(Exception):
    """Ends the process when it is printed."""

    def __str__(self) -> str:
        raise SystemExit(3)


class Wordless(Exception):
    """Prints as what is no text."""

    def __str__(self) -> str:
        return 5  # type: ignore[return-value]


class Text(str):
    """Can do less than other texts."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        """Break."""
        raise RuntimeError("no bytes")

    def __format__(self, _: str) -> str:
        raise RuntimeError("no format")

    def replace(self, *_: object) -> str:
        """Break."""
        raise RuntimeError("no other words")


class Wordy(Exception):
    """Prints as such a text."""

    def __str__(self) -> str:
        return Text("broken")


class Nameless(type):
    """A class that ends the process when it is asked for anything."""

    def __getattribute__(cls, name: str) -> Any:
        raise SystemExit(3)


class Numbered(type):
    """A class that answers 5 to everything."""

    def __getattribute__(cls, name: str) -> Any:
        return 5


class Picky(type):
    """A class that does not know its own."""

    def __instancecheck__(cls, _: object) -> bool:
        raise RuntimeError("who knows")

    __subclasscheck__ = __instancecheck__


class NoName(Exception, metaclass=Nameless):
    """Of no name."""


class NumberForName(Exception, metaclass=Numbered):
    """Of a name that is no text."""


class WhoKnows(Exception, metaclass=Picky):
    """Of a class that does not know its own."""


class Classless(Exception):
    """Does not say what it is."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("no class")


class Touchy(Exception):
    """Does not say anything."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"no {name}")


class Noted(Exception):
    """Ends the process when its notes are read."""

    @property
    def __notes__(self) -> list[str]:  # type: ignore[override]
        raise SystemExit(3)


class Uncomparable(Exception):
    """Neither true nor false, and equal to nothing."""

    def __bool__(self) -> bool:
        raise RuntimeError("neither")

    def __eq__(self, _: object) -> bool:
        raise RuntimeError("neither")

    __hash__ = None  # type: ignore[assignment]


class Falsy(Exception):
    """False, and empty."""

    def __bool__(self) -> bool:
        return False

    def __len__(self) -> int:
        return 0


class Unpicklable(Exception):
    """Stays in its process."""

    def __init__(self) -> None:
        super().__init__("broken")
        self.held = threading.Lock()

    def __reduce__(self) -> str:
        raise RuntimeError("no way")


class LeavingQuietly(SystemExit, metaclass=Nameless):
    """An exit of no name."""


def circle() -> Exception:
    """Return two errors, each the cause of the other."""
    first, second = ValueError("broken"), KeyError("broken")
    first.__cause__, second.__cause__ = second, first
    first.__context__, second.__context__ = second, first
    return first


def noted(notes: object) -> Exception:
    """Return an error with these notes."""
    error = ValueError("broken")
    error.__notes__ = notes  # type: ignore[assignment]
    return error


def nested(depth: int) -> BaseException:
    """Return a group in a group in a group."""
    error: Exception = ValueError("broken")
    for _ in range(depth):
        error = ExceptionGroup("broken", [error])
    return error


def odd_syntax() -> SyntaxError:
    """Return an error that is nowhere in a file."""
    error = SyntaxError("broken")
    error.filename, error.lineno, error.offset, error.text = 5, "x", "y", object()  # type: ignore[assignment]
    return error


ODD: dict[str, Callable[[], BaseException]] = {
    "Silent": Silent,
    "Leaving": Leaving,
    "Wordless": Wordless,
    "Wordy": Wordy,
    "NoName": NoName,
    "NumberForName": NumberForName,
    "WhoKnows": WhoKnows,
    "Classless": Classless,
    "Touchy": Touchy,
    "Noted": Noted,
    "Uncomparable": Uncomparable,
    "Falsy": Falsy,
    "Unpicklable": Unpicklable,
    "LeavingQuietly": LeavingQuietly,
    "circle": circle,
    "number for notes": lambda: noted(5),
    "odd notes": lambda: noted([Silent(), 5, "\ud800"]),
    "odd syntax": odd_syntax,
    "deep group": lambda: nested(3_000),
    "group of odd ones": lambda: ExceptionGroup("broken", [Silent(), NoName(), noted(5)]),
    "surrogates": lambda: ValueError("\ud800\udfff"),
    "NUL": lambda: ValueError("\0"),
    "huge": lambda: ValueError("☃" * 35_000_000),
    "odd name": lambda: type("Fehler\ud7ff☃" * 200, (Exception,), {})("broken"),
    "no name": lambda: type("", (Exception,), {})("broken"),
}


class Again(Retry):
    """Asks for a try at any time whatever."""

    def __init__(self, after: Any) -> None:
        self.after = after


class AgainSometime(Retry):
    """Ends the process when it is asked when."""

    @property
    def after(self) -> float:
        """Break."""
        raise SystemExit(3)

    @after.setter
    def after(self, _: object) -> None: ...


AFTER: dict[str, Callable[[], Retry]] = {
    "nan": lambda: Again(math.nan),
    "negative": lambda: Again(-1),
    "text": lambda: Again("17"),
    "endless": lambda: Again(1e400),
    "too long": lambda: Again(10**400),
    "bool": lambda: Again(True),
    "object": lambda: Again(object()),
    "property": AgainSometime,
}
