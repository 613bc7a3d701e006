"""Keep where handlers find the unique keys of their tasks.

On MySQL the migration can be run again after it failed halfway.
"""

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add nothing yet."""


def downgrade() -> None:
    """Drop nothing yet."""
