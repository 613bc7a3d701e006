"""All routes of the dashboard."""

from taskq_server.dashboard import assets, keys, language_switch, queues

ROUTERS = (
    assets.router,
    language_switch.router,
    keys.router,
    keys.actions,
    queues.router,
    queues.actions,
)
