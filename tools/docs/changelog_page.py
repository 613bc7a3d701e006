"""The page of the changelog: those of the repository and of both distributions, whichever are."""

import re

from tools.docs.markdown import ROOT

FILES = {
    ROOT / "CHANGELOG.md": "",
    ROOT / "packages" / "taskq-server" / "CHANGELOG.md": "taskq-server",
    ROOT / "packages" / "taskq-client" / "CHANGELOG.md": "taskq-client",
}


def page() -> str:
    """Return the page."""
    parts = ["# Changelog\n\nWhat has changed for users of taskq, the newest first.\n"]
    for path, name in FILES.items():
        if path.exists():
            _, _, text = path.read_text(encoding="utf-8").partition("\n\n")
            if name:
                parts.append(f"## {name}\n")
                text = re.sub(r"^##", "###", text, flags=re.MULTILINE)
            parts.append(re.sub(r"\]\((?:\.\./)*docs/", "](", text))
    return "\n".join(parts)
