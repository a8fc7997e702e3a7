"""What kernels have said, kept in the store."""

import sqlalchemy as sa
from alembic import op

from jupyter_ext.database.types import ByteString, UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INNODB = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}
JOURNALS, OBJECTS = "fleet_kernel_journal", "fleet_journal_object"


def upgrade() -> None:
    """Adds the tables, unless an earlier try did."""
    op.create_table(
        JOURNALS,
        sa.Column("kernel_id", ByteString(64), nullable=False),
        sa.Column("journal", sa.String(32), nullable=False),
        sa.Column("project", ByteString(63), nullable=False),
        sa.Column("path", ByteString(4096), nullable=False),
        sa.Column("document", sa.String(64), nullable=False),
        sa.Column("username", ByteString(1020), nullable=False),
        sa.Column("kernel_name", ByteString(255), nullable=False),
        sa.Column("created", UtcDateTime, nullable=False),
        sa.Column("changed", UtcDateTime, nullable=False),
        sa.Column("alive", UtcDateTime, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("parts", sa.BigInteger, nullable=False),
        sa.Column("process", sa.String(32), nullable=False),
        sa.Column("reason", ByteString(2000), nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("kernel_id", "journal", name=f"pk_{JOURNALS}"),
        if_not_exists=True,
        **INNODB,
    )
    op.create_index(f"ix_{JOURNALS}_document", JOURNALS, ["document"], if_not_exists=True)
    op.create_index(f"ix_{JOURNALS}_alive", JOURNALS, ["alive"], if_not_exists=True)
    op.create_table(
        OBJECTS,
        sa.Column("kernel_id", ByteString(64), nullable=False),
        sa.Column("journal", sa.String(32), nullable=False),
        sa.Column("first", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("last", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("merged", sa.Boolean, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("kernel_id", "journal", "first", "last", name=f"pk_{OBJECTS}"),
        if_not_exists=True,
        **INNODB,
    )
