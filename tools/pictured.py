"""The handlers of the shop in the pictures of the documentation."""

import asyncio

from taskq_server import Context, Fatal, Retry, handler


@handler("mails.send", queue="mails")
async def send_mail(to: str, subject: str) -> str:
    """Send a mail to a customer."""
    await asyncio.sleep(0.05)
    return f"sent to {to}: {subject}"


@handler("orders.charge", queue="orders")
async def charge(order: int) -> None:
    """Charge the card of an order."""
    raise Fatal("the bank has declined the card")


@handler("stock.sync", queue="stock", max_retries=5)
async def sync_stock(shelf: str) -> None:
    """Count a shelf anew."""
    raise Retry("the warehouse does not answer", after=600)


@handler("reports.build", queue="reports")
async def build_report(context: Context, month: str, pages: int = 240) -> str:
    """Build the report of a month."""
    for page in range(1, pages + 1):
        await context.progress(page, pages, f"page {page} of {pages}")
        await asyncio.sleep(1)
    return f"{month}.pdf"
