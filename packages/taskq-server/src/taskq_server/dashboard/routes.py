"""All routes of the dashboard."""

from taskq_server.dashboard import (
    all_tasks,
    assets,
    bulk,
    keys,
    language_switch,
    queues,
    selection,
    task_list,
)

ROUTERS = (
    assets.router,
    language_switch.router,
    keys.router,
    keys.actions,
    queues.router,
    queues.actions,
    task_list.router,
    all_tasks.router,
    all_tasks.actions,
    selection.actions,
    bulk.router,
    bulk.actions,
)
