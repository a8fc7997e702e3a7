"""Who has ever had a role in which project."""

import sqlalchemy as sa
from alembic import op

from jupyter_ext.database.types import ByteString

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table, unless an earlier try did."""
    op.create_table(
        "fleet_project_member",
        sa.Column("username", ByteString(1024), nullable=False),
        sa.Column("project", ByteString(63), nullable=False),
        sa.PrimaryKeyConstraint("username", "project", name="pk_fleet_project_member"),
        if_not_exists=True,
    )
