"""The second release, which runs the handler at six."""

from taskq_server import handler


@handler("nightly.clean", schedule="0 6 * * *", timezone="Europe/Berlin", tags=["nightly"])
async def clean(days: int = 7) -> str:
    """Say which release ran."""
    return f"v2 {days}"
