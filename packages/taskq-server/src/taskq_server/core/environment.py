"""The environment variables of the settings, and those that are set by mistake."""

import difflib
import os
import re
from collections.abc import Collection, Iterator

_PREFIX = "TASKQ_"
_OF_CLIENT = ("url", "api_key", "timeout")
# Kubernetes sets these in every pod beside a service called taskq, taskq-api and so on.
_INJECTED = re.compile(rf"{_PREFIX}(\w+_)?(SERVICE_(HOST|PORT)|PORT)(_\w+)?")
_INJECTED_PORT = re.compile(r"(tcp|udp|sctp)://")


def variable(setting: str) -> str:
    """Return the name of a setting's variable."""
    return _PREFIX + setting.upper()


def read(settings: Collection[str]) -> dict[str, str]:
    """Return the values of these settings; an empty variable counts as not set."""
    values = {name: os.environ.get(variable(name), "") for name in settings}
    if _INJECTED_PORT.match(values.get("port", "")):
        del values["port"]
    return {name: value for name, value in values.items() if value.strip()}


def allows_colour() -> bool:
    """Return whether terminals may get colours: https://no-color.org."""
    return not os.environ.get("NO_COLOR")


def unknown(settings: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each variable with our prefix that belongs to no setting.

    Args:
        settings: all settings of the server; those of the client are known.
    """
    known = (*settings, *_OF_CLIENT)
    ours = {variable(name) for name in known}
    for name in sorted(os.environ):
        if not name.upper().startswith(_PREFIX) or name in ours or _INJECTED.fullmatch(name):
            continue
        meant = difflib.get_close_matches(name[len(_PREFIX) :].lower(), known, n=1)
        hint = f": did you mean {variable(meant[0])}?" if meant else ""
        yield f"the variable {name} means nothing{hint}"
