"""The current folder, which is the last place to search for modules of handlers."""

import logging
import os
import pkgutil
import sys
from pathlib import Path

_log = logging.getLogger("taskq.server.handlers")


def append() -> bool:
    """Append the current folder to Python's search path; return whether it was missing there."""
    try:
        folder = os.getcwd()
    except FileNotFoundError:
        return False
    if folder in sys.path:
        return False
    sys.path.append(folder)
    return True


def described() -> str:
    """Return the path of the current folder in one line, or that it was deleted."""
    try:
        return repr(os.getcwd())
    except FileNotFoundError:
        return "(which is gone)"


def hides(name: str) -> bool:
    """Return whether an installed module was imported in place of one of the current folder.

    Args:
        name: the name of the module or of a submodule.
    """
    top = name.partition(".")[0]
    spec = getattr(sys.modules.get(top), "__spec__", None)
    if spec is None or not any(Path(one).exists() for one in (top, f"{top}.py")):
        return False
    folder = Path.cwd().resolve()
    places = [spec.origin, *(spec.submodule_search_locations or ())]
    return not any(folder in Path(place).resolve().parents for place in places if place)


def say_what_is_hidden(names: list[str]) -> None:
    """Log in one sentence the modules of the current folder that installed modules hide.

    Args:
        names: modules to check, in addition to all modules of the current folder.
    """
    tops = {name.partition(".")[0] for name in names}
    here = {found.name for found in pkgutil.iter_modules([os.getcwd()])} - {"__main__"}
    if hidden := sorted(filter(hides, tops | here)):
        _log.warning(
            "installed modules hide these of the current folder: %s; rename them if handlers "
            "need them",
            ", ".join(hidden),
        )
