"""The reference of a distribution: its public names, with their docstrings."""

from collections.abc import Iterator

import griffe

from tools.docs.docstrings import Member, annotation, attributes, body, first_line, signature
from tools.docs.markdown import ROOT, table

SOURCES = [ROOT / "packages" / name / "src" for name in ("taskq-server", "taskq-client")]
MODULES = {
    "server": ("taskq_server", "taskq_server.main", "taskq_server.testing"),
    "client": (
        *("taskq_client", "taskq_client.retry", "taskq_client.testing"),
        "taskq_client.pytest_plugin",
    ),
}


def page(name: str) -> str:
    """Return the page of the distribution `server` or `client`."""
    package = f"taskq_{name}"
    loader = griffe.GriffeLoader(
        search_paths=[str(path) for path in SOURCES], docstring_parser=griffe.Parser.google
    )
    loader.load(package)
    loader.resolve_aliases(external=False)
    parts = [
        f"# Reference: taskq-{name}\n\nThe public names of `{package}`, with the docstrings that "
        "an editor shows, too.\n"
    ]
    for path in MODULES[name]:
        module = _module(loader, path)
        if module is not None:
            parts.extend(_names_of(module))
    return "\n".join(parts)


def _module(loader: griffe.GriffeLoader, path: str) -> Member | None:
    module: Member = loader.modules_collection[path.partition(".")[0]]
    for name in path.split(".")[1:]:
        if name not in module.members:
            return None
        module = module.members[name]
    return module


def public(module: Member) -> list[Member]:
    """Return what a module offers, classes first: what `__all__` names, or what it defines."""
    if module.exports:
        members = [module.members[str(name)] for name in module.exports]
    else:
        members = [
            member
            for name, member in module.members.items()
            if not name.startswith("_") and not member.is_alias and member.has_docstring
        ]
    kept = [each for each in members if not each.is_module and not each.name.startswith("__")]
    return sorted(kept, key=lambda each: (not each.is_class, each.name))


def _names_of(module: Member) -> Iterator[str]:
    yield f"## {module.path}\n"
    yield body(module)
    for member in public(module):
        yield f"### {member.name}\n"
        yield signature(member)
        yield body(member)
        if member.is_class:
            yield from _members_of(member)


def _members_of(parent: Member) -> Iterator[str]:
    fields = []
    meanings = attributes(parent)
    for name, member in parent.all_members.items():
        ours = member.canonical_path.startswith("taskq_")
        if name.startswith("_") or name == "model_config" or not ours:
            continue
        if member.is_function:
            yield f"#### {parent.name}.{name}\n"
            yield signature(member)
            yield body(member)
        else:
            meaning = first_line(member) or meanings.get(name, "")
            fields.append((f"`{name}`", annotation(member), meaning))
    if fields:
        yield table(("Attribute", "Type", "Meaning"), fields)
