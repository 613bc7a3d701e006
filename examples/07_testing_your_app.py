"""Test an application without a server: no `taskq-server dev`, no Redis, no database.

This one needs nothing but taskq-client:

    python examples/07_testing_your_app.py

In a test suite you would use the pytest fixture `taskq`, a fresh `FakeTaskq` for each test, and
write the functions below as tests: `def test_...(taskq): ...`.
"""

from taskq_client import TaskqClient
from taskq_client.testing import FakeTaskq, Step


class Shop:
    """The application: it gets its client from outside, so that a test can bring another one."""

    def __init__(self, client: TaskqClient) -> None:
        self.client = client

    def order(self, number: int) -> str:
        key = f"order-{number}"
        bill = self.client.submit("bills.print", {"order": number}, idempotency_key=key)
        self.client.submit("mails.remind", {"order": number}, delay_seconds=7 * 86_400)
        return bill.id

    def bill(self, task_id: str) -> str:
        # `wait` returns the task whatever its end was; `run` and `result` raise how it ended.
        task = self.client.wait(task_id, timeout=30)
        return str(task.result) if task.status == "succeeded" else "no paper"


def a_bill_is_printed_once(taskq: FakeTaskq) -> None:
    taskq.on("bills.print", lambda payload: f"bill {payload['order']}")
    taskq.on("mails.remind")
    shop = Shop(TaskqClient(transport=taskq))

    assert shop.order(7) == shop.order(7)
    assert shop.bill(shop.order(7)) == "bill 7"
    assert [task.handler for task in taskq.submitted].count("bills.print") == 1


def a_printer_without_paper_is_tried_four_times(taskq: FakeTaskq) -> None:
    taskq.on("bills.print", OSError("no paper"))
    taskq.on("mails.remind")
    shop = Shop(taskq.client())

    # The pauses between the tries take no time here.
    assert shop.bill(shop.order(8)) == "no paper"
    assert taskq.tasks[0].attempt == 4


def a_week_later_the_reminder_is_sent(taskq: FakeTaskq) -> None:
    taskq.on("bills.print")
    taskq.on("mails.remind", Step("sent", seconds=2))
    Shop(taskq.client()).order(9)

    assert taskq.tasks[1].status == "queued"
    taskq.advance(7 * 86_400 + 1)
    assert taskq.tasks[1].status == "running"
    taskq.advance(2)
    assert taskq.tasks[1].result == "sent"


def a_server_that_stumbles_is_asked_again(taskq: FakeTaskq) -> None:
    taskq.on("bills.print", lambda payload: f"bill {payload['order']}")
    taskq.on("mails.remind")
    shop = Shop(taskq.client())

    taskq.break_next()
    taskq.fail_next(503, retry_after=0)
    assert shop.bill(shop.order(10)) == "bill 10"


for test in (
    a_bill_is_printed_once,
    a_printer_without_paper_is_tried_four_times,
    a_week_later_the_reminder_is_sent,
    a_server_that_stumbles_is_asked_again,
):
    test(FakeTaskq())
    print(test.__name__.replace("_", " "))

# prints:
# a bill is printed once
# a printer without paper is tried four times
# a week later the reminder is sent
# a server that stumbles is asked again
