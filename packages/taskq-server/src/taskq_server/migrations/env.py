"""Alembic's entry point: run the revisions on the connection that `_run` hands over."""

from alembic import context

from taskq_server.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
