"""All routes of the dashboard."""

from taskq_server.dashboard import assets, keys, language_switch, queues, sign_in

ROUTERS = (
    assets.router,
    language_switch.router,
    sign_in.router,
    keys.router,
    keys.actions,
    queues.router,
    queues.actions,
)
