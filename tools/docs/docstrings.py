"""What griffe has read of code, as Markdown."""

from collections.abc import Iterable, Sequence

import griffe

from tools.docs.markdown import block

WIDTH = 88
TITLES = {
    griffe.DocstringSectionKind.parameters: "Arguments",
    griffe.DocstringSectionKind.other_parameters: "Other arguments",
    griffe.DocstringSectionKind.raises: "Raises",
    griffe.DocstringSectionKind.returns: "Returns",
    griffe.DocstringSectionKind.yields: "Yields",
}

Member = griffe.Object | griffe.Alias


def signature(member: Member) -> str:
    """Return the head of a class or function as a block of Python; nothing for other names."""
    match target_of(member):
        case griffe.Class() as found:
            return block("python", f"class {found.name}{_bases(found)}: ...")
        case griffe.Function() as found:
            return block("python", _head(found))
        case _:
            return ""


def target_of(member: Member) -> griffe.Object:
    """Return what a name stands for."""
    return member.final_target if isinstance(member, griffe.Alias) else member


def annotation(member: Member) -> str:
    """Return the type of an attribute."""
    found = target_of(member)
    if not isinstance(found, griffe.Attribute) or found.annotation is None:
        return ""
    return f"`{found.annotation}`"


def attributes(member: Member) -> dict[str, str]:
    """Return what the docstring of a class says of its attributes."""
    sections = member.docstring.parsed if member.docstring is not None else []
    return {
        each.name: each.description
        for section in sections
        if section.kind is griffe.DocstringSectionKind.attributes
        for each in section.value
    }


def _head(function: griffe.Function) -> str:
    word = "async def" if "async" in function.labels else "def"
    parameters = [each for each in _parameters(function.parameters) if each not in ("self", "cls")]
    end = f" -> {function.returns}: ..." if function.returns is not None else ": ..."
    code = f"{word} {function.name}({', '.join(parameters)}){end}"
    if len(code) > WIDTH:
        lines = "".join(f"    {each},\n" for each in parameters)
        code = f"{word} {function.name}(\n{lines}){end}"
    return code


def body(member: Member) -> str:
    """Return the docstring: its text, then lists of arguments, errors and the like.

    Attributes are left out: they are in the table of the class.
    """
    if member.docstring is None:
        return ""
    return "\n".join(_section(each) for each in member.docstring.parsed if each.value)


def first_line(member: Member) -> str:
    """Return the first paragraph of a docstring, as one line."""
    text = member.docstring.value if member.docstring is not None else ""
    return " ".join(text.partition("\n\n")[0].split())


def _bases(found: griffe.Class) -> str:
    bases = [str(base) for base in found.bases if not str(base).startswith("_")]
    return f"({', '.join(bases)})" if bases else ""


def _parameters(parameters: Iterable[griffe.Parameter]) -> Sequence[str]:
    told: list[str] = []
    keywords_only = False
    for each in parameters:
        match each.kind:
            case griffe.ParameterKind.var_positional:
                keywords_only, stars = True, "*"
            case griffe.ParameterKind.var_keyword:
                stars = "**"
            case griffe.ParameterKind.keyword_only if not keywords_only:
                told.append("*")
                keywords_only, stars = True, ""
            case _:
                stars = ""
        annotation = f": {each.annotation}" if each.annotation is not None else ""
        equals = " = " if annotation else "="
        default = f"{equals}{each.default}" if each.default is not None and not stars else ""
        told.append(f"{stars}{each.name}{annotation}{default}")
    return told


def _section(section: griffe.DocstringSection) -> str:
    title = TITLES.get(section.kind)
    if title is None:
        return _plain(str(section.value)) if section.kind.value == "text" else ""
    lines = [f"{title}:\n"]
    for each in section.value:
        name = getattr(each, "name", "") or each.annotation or ""
        lines.append(f"* `{name}`: {' '.join(each.description.split())}")
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Return a text whose drawings, which are lines that begin with spaces, are blocks."""
    parts = []
    for paragraph in text.split("\n\n"):
        drawing = any(sign in paragraph for sign in "├└│") or paragraph.startswith("    ")
        parts.append(block("text", paragraph.strip("\n")) if drawing else paragraph + "\n")
    return "\n".join(parts)
