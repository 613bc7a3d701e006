"""All routes of the dashboard."""

from taskq_server.dashboard import (
    assets,
    keys,
    language_switch,
    queues,
    schedule_edits,
    schedules,
    sign_in,
)

ROUTERS = (
    assets.router,
    language_switch.router,
    sign_in.router,
    keys.router,
    keys.actions,
    queues.router,
    queues.actions,
    schedule_edits.router,
    schedule_edits.actions,
    schedules.router,
    schedules.actions,
)
