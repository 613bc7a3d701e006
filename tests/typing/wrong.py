"""Mistakes that a type checker has to find: each line with an `error` comment."""

from taskq_client import AsyncTaskqClient, NewTask, Task, TaskqClient
from taskq_client.testing import FakeTaskq
from taskq_server import Context, handler


def mistakes(client: TaskqClient, task: Task) -> None:
    client.submit("h", tag=["a"])  # error: there is no such option
    client.submit("h", tags=5)  # error: no list of words
    number: int = client.run("h", returns=str)  # error: another type
    client.wait(5)  # error: no task
    print(task.state)  # error: there is no such field
    client.list(state="failed")  # error: there is no such filter
    print(number)
    client.submit("h", priority="hgh")  # error: no priority
    client.submit("h", unique_key="k", on_conflict="wait")  # error: no such answer
    client.update("id", priority="hgh")  # error: no priority
    client.submit_many([NewTask(handler="h", priority="hgh")])  # error: no priority
    client.list(priority="hgh")  # error: no priority
    client.list(status=["faild"])  # error: no status
    client.list(order="created")  # error: no order
    client.run("h", returns=5)  # error: no type
    text: str = client.run("h", returns=int | None)  # error: another type
    print(text)
    client.wait("id", "5")  # error: no duration


async def forgotten(client: AsyncTaskqClient) -> None:
    handle = client.submit("h")
    print(handle.id)  # error: not awaited
    for task in client.list():  # error: to be iterated with async for
        print(task)


class Shared:
    currency: str


@handler("reports.build")
async def build(context: Context[Shared], month: str) -> int:
    print(context.state.curency)  # error: no such attribute
    return len(month)


@handler(max_retry=3)  # error: there is no such option
def count(path: str) -> int:
    return len(path)


async def by_function(client: TaskqClient, asynchronous: AsyncTaskqClient) -> None:
    build.submit(client, moth="x")  # error: no such parameter
    build.submit(client, month=10)  # error: another type
    build.submit(client)  # error: a parameter is missing
    build.submit(month="x")  # error: no client
    build.submit("http://localhost", month="x")  # error: no client
    build.submit(client, month="x", context=None)  # error: the worker makes the context
    text: str = build.submit(client, month="x").result()  # error: another type
    build.submit.with_options(priority="hgh")(client, month="x")  # error: no priority
    build.submit.with_options(on_conflict="wait")(client, month="x")  # error: no such answer
    build.submit(asynchronous, month="x").result()  # error: not awaited
    typed: str = client.submit("h", returns=int).result()  # error: another type
    FakeTaskq().load(["jobs"])  # error: no handlers
    build.submt(client, month="x")  # error: no such attribute
    print(text, typed)
