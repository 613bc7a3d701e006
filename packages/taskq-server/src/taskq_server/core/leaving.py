"""Close connections of a pool that must not be used again."""

from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from taskq_server.core.renewal import Renewal

_OPENED = "taskq_opened"


def leave_open_transactions(engine: Engine) -> None:
    """Close a connection whose transaction may still be open after an error.

    The transaction may be open if COMMIT or ROLLBACK failed, or if an answer was not read to its
    end. Back in the pool, the next user of the connection would commit it. All other connections
    stay open.
    """

    def check(context: ExceptionContext) -> None:
        assert context.dialect.dbapi is not None
        is_end = context.connection is not None and context.statement is None
        is_unread = context.execution_context is not None and not isinstance(
            context.original_exception, context.dialect.dbapi.Error
        )
        if (is_end or is_unread) and not context.is_disconnect:
            context.is_disconnect = True
            context.invalidate_pool_on_disconnect = False

    event.listen(engine, "handle_error", check)


def leave_refusing_servers(engine: Engine, renewal: Renewal) -> None:
    """Replace connections older than the last renewal, when they are taken from the pool."""

    def note(_: Any, record: ConnectionPoolEntry) -> None:
        record.info[_OPENED] = renewal.clock()

    def check(_: Any, record: ConnectionPoolEntry, __: Any) -> None:
        if record.info[_OPENED] <= renewal.at:
            raise DisconnectionError("its server refused to write")

    event.listen(engine, "connect", note)
    event.listen(engine, "checkout", check)
