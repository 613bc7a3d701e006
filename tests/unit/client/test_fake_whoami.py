"""The fake tells a caller which key it has."""

import pytest

from taskq_client import Unauthenticated
from taskq_client.testing import FakeTaskq


def test_a_key_knows_itself(taskq: FakeTaskq) -> None:
    everything = taskq.client().whoami()
    assert (everything.id, everything.name, everything.namespace) == (None, None, "default")
    assert {"admin", "tasks:read", "tasks:run:*"} <= set(everything.scopes)

    key = taskq.make_key("tasks:run:reports.*", "metrics:read", name="web")
    me = taskq.client(api_key=key).whoami()
    assert (me.id, me.name) == (key.split("_")[1], "web")
    assert me.scopes == ["tasks:run:reports.*", "metrics:read"]
    assert me.created_at is not None
    with pytest.raises(Unauthenticated):
        taskq.client().whoami()
