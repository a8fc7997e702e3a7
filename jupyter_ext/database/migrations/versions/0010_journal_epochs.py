"""The epoch of a kernel's owner, in what is kept of what the kernel said."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLE = "fleet_kernel_journal"


def upgrade() -> None:
    """Adds the column, unless an earlier try did; labs of the version before write rows without
    it."""
    columns = sa.inspect(op.get_bind()).get_columns(TABLE)
    if not any(column["name"] == "epoch" for column in columns):
        op.add_column(TABLE, sa.Column("epoch", sa.BigInteger, nullable=False, server_default="0"))
