"""What nobody would say who means well, and a handler that says it wherever a handler may."""

import asyncio

from taskq_server import Context, handler

MARKUP = "<script>alert('boo')</script>"
LINE = (
    f"{MARKUP}<img src=x onerror=alert(1)></textarea><a href='javascript:alert(2)'>a</a>"
    "{{ 7 * 7 }} a-word-that-never-ends" + "-and-on" * 10
)
"""Where the API takes no marks that turn the direction of writing: names, titles, tags."""
TEXT = f"{LINE} \u202egnp.exe \u2066isolated"


async def hostile(context: Context, text: str, seconds: float = 0) -> None:  # noqa: D103
    await context.progress(1, 2, text)
    await asyncio.sleep(seconds)
    raise type(text[:100], (Exception,), {})(f"{text}\n{text}")


hostile.__doc__ = TEXT
handler("tests.hostile")(hostile)
