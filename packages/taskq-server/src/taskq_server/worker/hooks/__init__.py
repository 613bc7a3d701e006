"""Hooks of users, after failures and at start and stop of a worker."""
