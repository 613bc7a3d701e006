"""Handlers that say which schedule has fired their task, and for which time."""

from taskq_server import Context, handler

Told = tuple[str, str] | None


def _told(context: Context) -> Told:
    fire = context.schedule
    return None if fire is None else (fire.name, fire.fire_at.isoformat())


@handler("fired.loop")
async def loop(context: Context) -> Told:
    """Say it on the event loop."""
    return _told(context)


@handler("fired.thread")
def thread(context: Context) -> Told:
    """Say it in a thread."""
    return _told(context)


@handler("fired.process", process=True)
def process(context: Context) -> Told:
    """Say it in a process."""
    return _told(context)
