"""All routes of the dashboard."""

from taskq_server.dashboard import assets, overview, queues

ROUTERS = (assets.router, overview.router, queues.router, queues.actions)
