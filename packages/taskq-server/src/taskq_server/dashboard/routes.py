"""All routes of the dashboard."""

from taskq_server.dashboard import (
    assets,
    keys,
    language_switch,
    queues,
    schedule_edits,
    schedules,
    sign_in,
    task,
    task_actions,
    task_edit,
    task_events,
    unknown_path,
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
    task.router,
    task_events.router,
    task_actions.actions,
    task_edit.actions,
    unknown_path.router,  # the last, because it takes all paths
)
