"""Kernel records, gateway membership, kernel events, user ids of projects."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from jupyter_ext.database.types import ByteString, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    long_text = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "fleet_kernel",
        sa.Column("kernel_id", ByteString(36), nullable=False),
        sa.Column("project", ByteString(63), nullable=False),
        sa.Column("path", ByteString(4096), nullable=False),
        sa.Column("username", ByteString(1024), nullable=False),
        sa.Column("kernel_name", ByteString(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("owner", ByteString(255)),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("agent_key", sa.Text, nullable=False),
        sa.Column("launch", long_text, nullable=False),
        sa.Column("process", sa.JSON),
        sa.Column("execution_state", sa.String(16), nullable=False),
        sa.Column("connections", sa.Integer, nullable=False),
        sa.Column("last_activity", UtcDateTime, nullable=False),
        sa.Column("created", UtcDateTime, nullable=False),
        sa.Column("changed", UtcDateTime, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("kernel_id", name="pk_fleet_kernel"),
        if_not_exists=True,
    )
    op.create_index("ix_fleet_kernel_project", "fleet_kernel", ["project"], if_not_exists=True)
    op.create_index(
        "ix_fleet_kernel_state_changed", "fleet_kernel", ["state", "changed"], if_not_exists=True
    )
    op.create_table(
        "fleet_gateway",
        sa.Column("name", ByteString(255), nullable=False),
        sa.Column("url", ByteString(1024), nullable=False),
        sa.Column("heartbeat", UtcDateTime, nullable=False),
        sa.Column("draining", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_fleet_gateway"),
        if_not_exists=True,
    )
    op.create_table(
        "fleet_kernel_event",
        sa.Column("id", row_id, nullable=False, autoincrement=True),
        sa.Column("kernel_id", ByteString(36), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("username", ByteString(1024), nullable=False),
        sa.Column("gateway", ByteString(255), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_fleet_kernel_event"),
        if_not_exists=True,
    )
    op.create_index(
        "ix_fleet_kernel_event_kernel_id", "fleet_kernel_event", ["kernel_id"], if_not_exists=True
    )
    op.create_index("ix_fleet_kernel_event_at", "fleet_kernel_event", ["at"], if_not_exists=True)
    op.create_table(
        "fleet_project_uid",
        sa.Column("project", ByteString(63), nullable=False),
        sa.Column("uid", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("project", name="pk_fleet_project_uid"),
        sa.UniqueConstraint("uid", name="uq_fleet_project_uid_uid"),
        if_not_exists=True,
    )
