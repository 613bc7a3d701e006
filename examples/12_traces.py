"""Traces: one trace leads from a web request through taskq to what its task did, and its child.

This file is two things. As a module of handlers it gives the server an SDK of OpenTelemetry, and as
a script it plays a web application that has one, too. Both keep their spans in memory, where yours
send them to a collector. The script starts a `taskq-server dev` of its own, in a temporary folder,
which it removes. With opentelemetry-sdk installed, in the folder above:

    python examples/12_traces.py
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from taskq_client import TaskqClient
from taskq_server import Context, handler

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 60.0

finished = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(finished))
trace.set_tracer_provider(provider)  # nothing else is needed: taskq finds it
tracer = trace.get_tracer("shop")


@handler("orders.place")
async def place(context: Context, article: str) -> str:
    """Reserve an article, and let the customer know."""
    with tracer.start_as_current_span("reserve"):
        return str(await context.submit("orders.tell", {"article": article}))


@handler("orders.tell")
def tell(article: str) -> None:
    """Write a mail; a plain function runs in a thread, which knows its trace as well."""
    with tracer.start_as_current_span("send mail"):
        pass


@handler("spans.recorded")
def spans_of_the_server() -> list[dict[str, str | None]]:
    """Return what the server has recorded, so that the script can show it."""
    return recorded("taskq")


def recorded(where: str) -> list[dict[str, str | None]]:
    """Return the spans that have ended in this process."""
    return [
        {
            "name": f"{span.name}  ({where})",
            "trace": f"{span.context.trace_id:032x}",
            "id": f"{span.context.span_id:016x}",
            "parent": f"{span.parent.span_id:016x}" if span.parent else None,
        }
        for span in finished.get_finished_spans()
        if span.context is not None
    ]


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run a server that loads this file, yield its address, and stop it."""
    words = ("dev", "--port", "0", "--data-dir", str(folder), "--handlers", "examples.12_traces")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TASKQ_")}
    environment = {**kept, "no_proxy": "127.0.0.1"}
    log = (folder / "server.log").open("w+")
    with log, subprocess.Popen(
        [sys.executable, "-m", "taskq_server", *words],
        env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            address = re.search(r"http://\S+", process.stdout.readline())
            if address is None:
                log.seek(0)
                sys.exit(f"taskq-server did not start: {log.read()}")
            yield address[0]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)


def show(spans: list[dict[str, str | None]], parent: str | None = None, depth: int = 0) -> None:
    """Print spans as a tree: what is a part of what."""
    for span in spans:
        if span["parent"] == parent:
            print("  " * depth + str(span["name"]))
            show(spans, span["id"], depth + 1)


def main(folder: Path) -> None:
    with server(folder) as url, TaskqClient(url) as client:
        with tracer.start_as_current_span("POST /orders"):
            order = client.submit("orders.place", {"article": "lamp"})
        child = order.result(timeout=PATIENCE)
        client.wait(child, PATIENCE)

        everything = recorded("web application") + client.run("spans.recorded", timeout=PATIENCE)
        assert order.traceparent is not None
        trace_id = order.traceparent.split("-")[1]
        show([span for span in everything if span["trace"] == trace_id])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="taskq-traces-") as made:
        main(Path(made))

# prints:
# POST /orders  (web application)
#   submit orders.place  (web application)
#     submit orders.place  (taskq)
#       run orders.place  (taskq)
#         reserve  (taskq)
#           submit orders.tell  (taskq)
#             run orders.tell  (taskq)
#               send mail  (taskq)
