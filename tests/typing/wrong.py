"""Mistakes that a type checker has to find: each line with an `error` comment."""

from taskq_client import AsyncTaskqClient, NewTask, Task, TaskqClient


def mistakes(client: TaskqClient, task: Task) -> None:
    client.submit("h", tag=["a"])  # error: there is no such option
    client.submit("h", tags=5)  # error: no list of words
    number: int = client.run("h", returns=str)  # error: another type
    client.wait(5)  # error: no task
    print(task.state)  # error: there is no such field
    client.list(state="failed")  # error: there is no such filter
    print(number)
    client.submit("h", priority="hgh")  # error: no priority
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
