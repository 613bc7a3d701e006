"""The wire format: models of requests and answers, and the JSON of a task."""
