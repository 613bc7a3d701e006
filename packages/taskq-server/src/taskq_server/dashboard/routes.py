"""All routes of the dashboard."""

from taskq_server.dashboard import (
    all_tasks,
    assets,
    bulk,
    keys,
    language_switch,
    queues,
    schedule_edits,
    schedules,
    selection,
    sign_in,
    task_list,
)

ROUTERS = (
    assets.router,
    language_switch.router,
    sign_in.router,
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
    schedule_edits.router,
    schedule_edits.actions,
    schedules.router,
    schedules.actions,
)
