"""The first release of a handler that later ones schedule; see `nightly_v2` and `nightly_v3`."""

from taskq_server import handler


@handler("nightly.clean")
async def clean() -> str:
    """Say which release ran."""
    return "v1"
