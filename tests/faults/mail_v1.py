"""The first version of two handlers, during a deploy; see `mail_v2`."""

from taskq_server import handler
from tests.integration.engine.recursive import Expr


@handler("mail.send")
async def send(to: str) -> str:
    """Say which version ran."""
    return f"v1 {to}"


@handler("mail.compute")
async def compute(e: Expr) -> str:
    """Take what is validated in a process of its own."""
    return "v1"
