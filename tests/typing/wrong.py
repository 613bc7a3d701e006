"""Mistakes that a type checker has to find: each line with an `error` comment."""

from taskq_client import AsyncTaskqClient, Task, TaskqClient


def mistakes(client: TaskqClient, task: Task) -> None:
    client.submit("h", tag=["a"])  # error: there is no such option
    client.submit("h", tags=5)  # error: no list of words
    number: int = client.run("h", returns=str)  # error: another type
    client.wait(5)  # error: no task
    print(task.state)  # error: there is no such field
    client.list(state="failed")  # error: there is no such filter
    print(number)


async def forgotten(client: AsyncTaskqClient) -> None:
    handle = client.submit("h")
    print(handle.id)  # error: not awaited
    for task in client.list():  # error: to be iterated with async for
        print(task)
