"""The path of a document whose kernel starts, kernels that sessions started, leases of labs."""

import sqlalchemy as sa
from alembic import op

from jupyter_ext.database.types import ByteString, UtcDateTime

revision = "0004"
down_revision = "0003"

STARTS = "fleet_kernel_start"
INNODB = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}


def upgrade() -> None:
    present = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(STARTS)}
    for name, size in (("path", 4096), ("type", 64)):
        if name not in present:
            op.add_column(STARTS, sa.Column(name, ByteString(size), nullable=True))
    op.create_table(
        "fleet_session_kernel",
        sa.Column("kernel_id", ByteString(64), nullable=False),
        sa.Column("created", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("kernel_id", name="pk_fleet_session_kernel"),
        if_not_exists=True,
        **INNODB,
    )
    op.create_table(
        "fleet_lease",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_fleet_lease"),
        if_not_exists=True,
        **INNODB,
    )
