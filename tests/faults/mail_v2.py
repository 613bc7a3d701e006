"""The second version of the handlers of `mail_v1`: each takes one key more."""

from taskq_server import handler
from tests.integration.engine.recursive import Expr


@handler("mail.send")
async def send(to: str, locale: str = "en") -> str:
    """Say which version ran."""
    return f"v2 {to} {locale}"


@handler("mail.compute")
async def compute(e: Expr, more: int = 0) -> str:
    """Take what is validated in a process of its own."""
    return "v2"
