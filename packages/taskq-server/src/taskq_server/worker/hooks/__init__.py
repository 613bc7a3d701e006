"""Hooks of users: those that follow failures, and those at start and stop of a worker."""
