"""Sessions of kernels that one person has alone; labs of the version before do not know them."""

import sqlalchemy as sa
from alembic import op

from jupyter_ext.database.types import ByteString, UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the table, unless an earlier try did."""
    op.create_table(
        "fleet_personal_session",
        sa.Column("document", sa.String(64), nullable=False),
        sa.Column("username", ByteString(1020), nullable=False),
        sa.Column("id", ByteString(64), nullable=False),
        sa.Column("kernel_id", ByteString(64), nullable=False),
        sa.Column("project", ByteString(63), nullable=False),
        sa.Column("path", ByteString(4096), nullable=False),
        sa.Column("shown_path", ByteString(4096), nullable=False),
        sa.Column("name", ByteString(1020), nullable=False),
        sa.Column("type", ByteString(64), nullable=False),
        sa.Column("created", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("document", "username", name="pk_fleet_personal_session"),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    for column in ("username", "project"):
        op.create_index(
            f"ix_fleet_personal_session_{column}",
            "fleet_personal_session",
            [column],
            if_not_exists=True,
        )
