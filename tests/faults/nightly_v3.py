"""The third release, which runs the handler every second."""

from datetime import timedelta

from taskq_server import handler


@handler("nightly.clean", schedule=timedelta(seconds=1), tags=["nightly"])
async def clean(days: int = 7) -> str:
    """Say which release ran."""
    return f"v3 {days}"
