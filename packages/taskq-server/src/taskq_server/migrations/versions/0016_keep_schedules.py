"""Keep schedules, and what they fired.

On MySQL the migration can be run again after it failed halfway.
"""

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add nothing yet."""


def downgrade() -> None:
    """Drop nothing yet."""
