"""Keys of agents whose kernels were launched again, to tell them so with proof."""

import sqlalchemy as sa
from alembic import op

from jupyter_ext.database.types import ByteString, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table, unless an earlier try did."""
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "fleet_former_agent",
        sa.Column("id", row_id, nullable=False, autoincrement=True),
        sa.Column("kernel_id", ByteString(36), nullable=False),
        sa.Column("agent_key", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_fleet_former_agent"),
        if_not_exists=True,
    )
    for column in ("kernel_id", "at"):
        op.create_index(
            f"ix_fleet_former_agent_{column}", "fleet_former_agent", [column], if_not_exists=True
        )
