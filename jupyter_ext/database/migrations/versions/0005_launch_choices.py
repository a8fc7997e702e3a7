"""The last launch options of users and of documents."""

import sqlalchemy as sa
from alembic import op

from jupyter_ext.database.types import ByteString, UtcDateTime

revision = "0005"
down_revision = "0004"

INNODB = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}
DOCUMENTS = "fleet_document_launch_choice"


def upgrade() -> None:
    op.create_table(
        "fleet_user_launch_choice",
        sa.Column("username", ByteString(1020), nullable=False),
        sa.Column("kernel_name", ByteString(255), nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("changed", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("username", "kernel_name", name="pk_fleet_user_launch_choice"),
        if_not_exists=True,
        **INNODB,
    )
    op.create_table(
        DOCUMENTS,
        sa.Column("document", sa.String(64), nullable=False),
        sa.Column("kernel_name", ByteString(255), nullable=False),
        sa.Column("project", ByteString(63), nullable=False),
        sa.Column("path", ByteString(4096), nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("changed", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("document", "kernel_name", name=f"pk_{DOCUMENTS}"),
        if_not_exists=True,
        **INNODB,
    )
    op.create_index(f"ix_{DOCUMENTS}_project", DOCUMENTS, ["project"], if_not_exists=True)
