"""All routes of the dashboard."""

from taskq_server.dashboard import (
    assets,
    queues,
    task,
    task_actions,
    task_edit,
    task_events,
    unknown_path,
)

ROUTERS = (
    assets.router,
    queues.router,
    queues.actions,
    task.router,
    task_events.router,
    task_actions.actions,
    task_edit.actions,
    unknown_path.router,  # the last, because it takes all paths
)
