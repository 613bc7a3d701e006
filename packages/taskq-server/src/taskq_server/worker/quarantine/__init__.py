"""Quarantine: tasks whose last worker vanished run in processes of their own.

So a poison task takes nobody down with it. Most quarantined tasks are innocent: those that lost one
worker start again at once, together in a few processes. Those that lost two get a process each,
because the third loss is their last.

Payloads that may take for ever to validate are validated in such processes, too.
"""
