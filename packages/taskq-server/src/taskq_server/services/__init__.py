"""What a caller may do, wherever it calls from: the API, a worker, the command line."""
