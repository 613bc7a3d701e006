"""The dashboard: pages that show the work, and forms that steer it."""
