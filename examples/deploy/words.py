"""A handler to try the deployment with; yours take its place."""

from taskq_server import handler


@handler("words.count")
async def count(text: str) -> int:
    """Count the words of a text."""
    return len(text.split())
