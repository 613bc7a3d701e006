"""Processes of a worker that run attempts, foremost quarantined ones.

Quarantine: tasks whose last worker vanished run in processes of their own.

So a poison task takes no other task down with it. Most quarantined tasks are innocent, so tasks
that lost one worker start again at once, together in a few processes. Tasks that lost two get a
process each, because the third loss fails them.

Payloads whose validation can take exponential time are validated in such processes, too. And so
run the attempts of handlers that ask for a process, one at a time in each process of a warm pool.
"""
