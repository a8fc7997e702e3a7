"""The tree of names, versions, deletions, uploads."""

import sqlalchemy as sa
from alembic import op

from jupyter_ext.database.types import ByteString, UtcDateTime

revision = "0001"
down_revision = None

INNODB = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}


def upgrade() -> None:
    op.create_table(
        "fleet_node",
        sa.Column("id", ByteString(32), nullable=False),
        sa.Column("parent_id", ByteString(32)),
        sa.Column("name", ByteString(255), nullable=False),
        sa.Column("type", sa.String(9), nullable=False),
        sa.Column("version_id", ByteString(32)),
        sa.Column("created", UtcDateTime, nullable=False),
        sa.Column("modified", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_fleet_node"),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["fleet_node.id"], name="fk_fleet_node_parent_id", ondelete="RESTRICT"
        ),
        sa.UniqueConstraint("parent_id", "name", name="uq_fleet_node_parent_id_name"),
        if_not_exists=True,
        **INNODB,
    )
    op.create_table(
        "fleet_version",
        sa.Column("id", ByteString(32), nullable=False),
        sa.Column("node_id", ByteString(32), nullable=False),
        sa.Column("base_id", ByteString(32)),
        sa.Column("object_key", ByteString(255), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("author", ByteString(1020), nullable=False),
        sa.Column("created", UtcDateTime, nullable=False),
        sa.Column("checkpointed", UtcDateTime),
        sa.PrimaryKeyConstraint("id", name="pk_fleet_version"),
        sa.ForeignKeyConstraint(
            ["node_id"], ["fleet_node.id"], name="fk_fleet_version_node_id", ondelete="RESTRICT"
        ),
        sa.UniqueConstraint("object_key", name="uq_fleet_version_object_key"),
        sa.Index("ix_fleet_version_node_id_created", "node_id", "created"),
        if_not_exists=True,
        **INNODB,
    )
    op.create_table(
        "fleet_deletion",
        sa.Column("node_id", ByteString(32), nullable=False),
        sa.Column("path", ByteString(1024), nullable=False),
        sa.Column("deleted", UtcDateTime, nullable=False),
        sa.Column("author", ByteString(1020), nullable=False),
        sa.PrimaryKeyConstraint("node_id", name="pk_fleet_deletion"),
        sa.ForeignKeyConstraint(
            ["node_id"], ["fleet_node.id"], name="fk_fleet_deletion_node_id", ondelete="CASCADE"
        ),
        if_not_exists=True,
        **INNODB,
    )
    op.create_table(
        "fleet_upload",
        sa.Column("id", ByteString(32), nullable=False),
        sa.Column("slot", sa.String(64), nullable=False),
        sa.Column("next_chunk", sa.Integer, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("started", UtcDateTime, nullable=False),
        sa.Column("changed", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_fleet_upload"),
        sa.UniqueConstraint("slot", name="uq_fleet_upload_slot"),
        sa.Index("ix_fleet_upload_changed", "changed"),
        if_not_exists=True,
        **INNODB,
    )
    op.create_table(
        "fleet_upload_part",
        sa.Column("upload_id", ByteString(32), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("object_key", ByteString(255), nullable=False),
        sa.PrimaryKeyConstraint("upload_id", "number", name="pk_fleet_upload_part"),
        sa.ForeignKeyConstraint(
            ["upload_id"],
            ["fleet_upload.id"],
            name="fk_fleet_upload_part_upload_id",
            ondelete="CASCADE",
        ),
        if_not_exists=True,
        **INNODB,
    )
    now = "UTC_TIMESTAMP(6)"
    if op.get_context().dialect.name == "sqlite":
        now = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"
    for fixed in ("root", "trash"):
        hexadecimal = fixed.encode().hex()
        op.execute(
            "INSERT INTO fleet_node (id, parent_id, name, type, created, modified) "  # noqa: S608
            f"SELECT X'{hexadecimal}', NULL, X'', 'directory', {now}, {now} "
            f"WHERE NOT EXISTS (SELECT 1 FROM fleet_node WHERE id = X'{hexadecimal}')"
        )
