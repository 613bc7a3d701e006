"""Keep what workers say about themselves."""

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""


def downgrade() -> None:
    """Drop the columns."""
