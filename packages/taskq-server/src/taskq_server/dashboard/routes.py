"""All routes of the dashboard."""

from taskq_server.dashboard import assets, queues, sign_in

ROUTERS = (assets.router, sign_in.router, queues.router, queues.actions)
