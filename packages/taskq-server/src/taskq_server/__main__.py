"""`python -m taskq_server` is `taskq-server`."""

from taskq_server.cli import main

main()
