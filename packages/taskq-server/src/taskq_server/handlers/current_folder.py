"""The current folder: the last place where modules of handlers are looked for."""

import logging
import os
import pkgutil
import sys
from pathlib import Path

_log = logging.getLogger("taskq.server.handlers")


def append() -> bool:
    """Let modules of the current folder be imported, after all others; return whether it is new."""
    try:
        folder = os.getcwd()
    except FileNotFoundError:
        return False
    if folder in sys.path:
        return False
    sys.path.append(folder)
    return True


def hides(name: str) -> bool:
    """Return whether the current folder has a module that an installed one was imported for.

    Args:
        name: of the module, or of one in it.
    """
    top = name.partition(".")[0]
    spec = getattr(sys.modules.get(top), "__spec__", None)
    if spec is None or not any(Path(one).exists() for one in (top, f"{top}.py")):
        return False
    folder = Path.cwd().resolve()
    places = [spec.origin, *(spec.submodule_search_locations or ())]
    return not any(folder in Path(place).resolve().parents for place in places if place)


def say_what_is_hidden(names: list[str]) -> None:
    """Log in one sentence which modules of the current folder were not imported for installed ones.

    Args:
        names: of modules, beside those that lie there with a file of Python.
    """
    tops = {name.partition(".")[0] for name in names}
    here = {found.name for found in pkgutil.iter_modules([os.getcwd()])} - {"__main__"}
    if hidden := sorted(filter(hides, tops | here)):
        _log.warning(
            "installed modules hide these of the current folder: %s; rename them if handlers "
            "need them",
            ", ".join(hidden),
        )
