"""Keep the schedules that handlers declare.

On MySQL the migration can be run again after it failed halfway.
"""

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add nothing yet."""


def downgrade() -> None:
    """Drop nothing yet."""
