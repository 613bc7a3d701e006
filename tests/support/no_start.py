"""A module whose start-up hook fails; only tests that expect that load it."""

from taskq_server import State, on_startup


@on_startup
async def connect(state: State) -> None:
    """Want something that is away."""
    raise ConnectionError("the pool cannot be filled")
