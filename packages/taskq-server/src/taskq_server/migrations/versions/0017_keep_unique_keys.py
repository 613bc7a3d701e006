"""Keep unique keys: at most one task of a key waits or runs.

On MySQL the migration can be run again after it failed halfway.
"""

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add nothing yet."""


def downgrade() -> None:
    """Drop nothing yet."""
