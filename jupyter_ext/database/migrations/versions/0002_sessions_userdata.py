"""Sessions, kernel starts, settings, workspaces, signatures."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from jupyter_ext.database.types import ByteString, UtcDateTime

revision = "0002"
down_revision = "0001"

INNODB = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}


def _long_text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "fleet_session",
        sa.Column("id", ByteString(64), nullable=False),
        sa.Column("kernel_id", ByteString(64), nullable=False),
        sa.Column("project", ByteString(63), nullable=False),
        sa.Column("document", sa.String(64), nullable=False),
        sa.Column("path", ByteString(4096), nullable=False),
        sa.Column("shown_path", ByteString(4096), nullable=False),
        sa.Column("name", ByteString(1020), nullable=False),
        sa.Column("type", ByteString(64), nullable=False),
        sa.Column("username", ByteString(1020), nullable=False),
        sa.Column("created", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_fleet_session"),
        sa.Index("ix_fleet_session_kernel_id", "kernel_id"),
        sa.Index("ix_fleet_session_project", "project"),
        sa.Index("ix_fleet_session_document", "document"),
        if_not_exists=True,
        **INNODB,
    )
    op.create_table(
        "fleet_kernel_start",
        sa.Column("document", sa.String(64), nullable=False),
        sa.Column("kernel_id", ByteString(64), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("lease_until", UtcDateTime, nullable=False),
        sa.Column("attempt", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("document", name="pk_fleet_kernel_start"),
        sa.Index("ix_fleet_kernel_start_kernel_id", "kernel_id"),
        if_not_exists=True,
        **INNODB,
    )
    for table, key in (("fleet_user_setting", "schema_name"), ("fleet_user_workspace", "name")):
        op.create_table(
            table,
            sa.Column("username", ByteString(1020), nullable=False),
            sa.Column(key, ByteString(1020), nullable=False),
            sa.Column("raw", _long_text(), nullable=False),
            sa.Column("created", UtcDateTime, nullable=False),
            sa.Column("modified", UtcDateTime, nullable=False),
            sa.PrimaryKeyConstraint("username", key, name=f"pk_{table}"),
            if_not_exists=True,
            **INNODB,
        )
    op.create_table(
        "fleet_notebook_signature",
        sa.Column("algorithm", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(128), nullable=False),
        sa.Column("seen", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("algorithm", "digest", name="pk_fleet_notebook_signature"),
        sa.Index("ix_fleet_notebook_signature_seen", "seen"),
        if_not_exists=True,
        **INNODB,
    )
