"""Count what ends in each minute."""

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the columns."""


def downgrade() -> None:
    """Drop the table and the columns."""
