"""Refuse a change that takes something from callers: `python tools/compare_public_names.py TAG`.

Public are the names in the `__all__` of a package and of its `testing`; all other modules may
change. A break is refused unless the version tells of it: by its first number or, while that is 0,
by its second one.
"""

import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

from griffe import ExplanationStyle, Module, Object, find_breaking_changes, load, load_git

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("taskq_client", "taskq_server")
VERSION = ROOT / "packages" / "taskq-client" / "src" / "taskq_client" / "_version.py"

_COLOURS = re.compile(r"\x1b\[\d+m")


def main() -> None:
    """Print what breaks, and fail if the version does not tell of it."""
    (tag,) = sys.argv[1:]
    found = [line for package in PACKAGES for line in breaks(ROOT, package, tag)]
    for line in found:
        print(line)
    version: str = runpy.run_path(str(VERSION))["__version__"]
    if found and not may_break(tag.removeprefix("v"), version):
        sys.exit(f"version {version} breaks what callers of {tag} use: {len(found)} times")


def breaks(root: Path, package: str, tag: str) -> Iterator[str]:
    """Yield a line for each break of a public name.

    Args:
        root: The repository.
        package: The name that is imported.
        tag: The commit to compare with.
    """
    folder = Path("packages", package.replace("_", "-"), "src")
    old = load_git(package, ref=tag, repo=root, search_paths=[folder], resolve_aliases=True)
    new = load(package, search_paths=[root / folder], resolve_aliases=True)
    assert isinstance(old, Module)
    assert isinstance(new, Module)
    for path in ("", "testing"):
        before, now = public(old, path), public(new, path)
        for name in sorted(before):
            where = ".".join(filter(None, (package, path, name)))
            if name not in now:
                yield f"{where} is no longer there"
            else:
                for one in find_breaking_changes(before[name], now[name]):
                    yield f"{where}: {_COLOURS.sub('', one.explain(ExplanationStyle.ONE_LINE))}"


def public(package: Object, path: str) -> dict[str, Object]:
    """Return what a package, or a module that it may have, lists in its `__all__`."""
    if path and path not in package.members:
        return {}
    module = package[path] if path else package
    return {
        str(name): member.final_target if member.is_alias else member
        for name in module.exports or ()
        for member in (module[str(name)],)
    }


def may_break(before: str, now: str) -> bool:
    """Whether a version may take something from the callers of an earlier one."""
    (old_major, old_minor), (major, minor) = (part.split(".")[:2] for part in (before, now))
    return major != old_major or (major == "0" and minor != old_minor)


if __name__ == "__main__":
    main()
