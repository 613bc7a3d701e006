"""Suspects run in processes of their own, so that a poison task takes nobody down with it.

A suspect is a task whose last worker vanished. Most are innocent: those that lost one worker start
again at once, together in a few processes. Those that lost two get a process each, since the third
loss is their last.

Payloads that may take for ever to validate are validated in such processes, too.
"""
