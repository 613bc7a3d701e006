"""The operations of taskq, for all callers: the API, a worker, the command line."""
