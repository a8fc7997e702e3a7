"""Tokens that the platform has taken back."""

import sqlalchemy as sa
from alembic import op

from jupyter_ext.database.types import ByteString, UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the table, unless an earlier try did; labs of the version before do not know it."""
    op.create_table(
        "fleet_revocation",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", ByteString(1020), nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
        sa.Column("changed", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name="pk_fleet_revocation"),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_index(
        "ix_fleet_revocation_changed", "fleet_revocation", ["changed"], if_not_exists=True
    )
