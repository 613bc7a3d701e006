"""All routes of the dashboard."""

from taskq_server.dashboard import assets, queues

ROUTERS = (assets.router, queues.router, queues.actions)
