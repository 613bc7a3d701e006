"""The page of the changelog: that of each distribution."""

import re

from tools.docs.markdown import ROOT

FILES = {
    ROOT / "packages" / "taskq-server" / "CHANGELOG.md": "taskq-server",
    ROOT / "packages" / "taskq-client" / "CHANGELOG.md": "taskq-client",
}


def page() -> str:
    """Return the page."""
    parts = ["# Changelog\n\nWhat has changed for users of taskq, the newest first.\n"]
    for path, name in FILES.items():
        _, _, text = path.read_text(encoding="utf-8").partition("\n\n")
        parts.append(f"## {name}\n")
        text = re.sub(r"^##", "###", text, flags=re.MULTILINE)
        parts.append(re.sub(r"\]\((?:\.\./)*docs/", "](", text))
    return "\n".join(parts)
