"""Run functions of your own: typed payloads, results, progress, and errors that end a task.

The functions are in examples/handlers.py. Start a server that loads them, in the folder above:

    taskq-server dev --handlers examples.handlers
    python examples/02_your_own_handlers.py

Only the worker imports them. The API and this script know their names, and the schemas that the
worker has published.
"""

from pathlib import Path

from taskq_client import TaskFailed, TaskqClient, ValidationFailed

with TaskqClient() as client:
    for published in client.handlers():
        if not published.name.startswith("taskq."):
            print(published.name, sorted((published.payload_schema or {})["properties"]))

    # An async handler. Its first attempt asks to be tried again; its result is a model.
    report = client.submit("reports.build", {"month": "2026-10"}, priority="high", tags=["monthly"])
    task = report.wait(timeout=30)
    print(task.result, "after", task.current_retry_count, "retry")
    print("last progress:", task.progress and task.progress.current)

    # A sync handler: it runs in a thread.
    counted = client.run("files.count", {"path": str(Path(__file__).resolve())}, timeout=30)
    print(counted["lines"] > 40)

    # A payload that does not fit is refused, with a pointer to each place.
    try:
        client.submit("reports.build", {"month": "2026-10", "rows": "many"})
    except ValidationFailed as refusal:
        for problem in refusal.errors:
            print(problem.pointer, problem.detail)

    # Fatal ends the task at once, whatever retries are left.
    try:
        client.run("reports.build", {"month": "1999-12"}, timeout=30)
    except TaskFailed as failure:
        print(failure.task.attempt, failure.task.errors[-1].message)

# prints:
# files.count ['most', 'path']
# films.encode ['frames']
# reports.build ['month', 'rows']
# {'month': '2026-10', 'rows': 100, 'currency': 'EUR'} after 1 retry
# last progress: 75
# True
# /payload/rows "many" is not of type "integer"
# 1 there is no data for 1999-12
