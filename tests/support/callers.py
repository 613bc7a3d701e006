"""The caller of tests that ask a service themselves."""

from taskq_server.domain.caller import Caller

CALLER = Caller("default", name="a test")
