"""All routes of the dashboard."""

from taskq_server.dashboard import (
    assets,
    handlers,
    keys,
    language_switch,
    queues,
    submit,
    tags,
    workers,
)

ROUTERS = (
    assets.router,
    language_switch.router,
    keys.router,
    keys.actions,
    queues.router,
    queues.actions,
    submit.router,
    submit.actions,
    handlers.router,
    workers.router,
    tags.router,
)
