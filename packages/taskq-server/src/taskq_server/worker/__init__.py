"""The worker: an arq worker whose jobs are attempts of tasks."""
