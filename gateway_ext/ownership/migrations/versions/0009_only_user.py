"""The user of a fleet that serves one alone."""

import sqlalchemy as sa
from alembic import op

from jupyter_ext.database.types import ByteString

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table, unless an earlier try did."""
    op.create_table(
        "fleet_only_user",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("username", ByteString(1024), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_fleet_only_user"),
        if_not_exists=True,
    )
