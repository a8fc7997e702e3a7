"""Signatures of trusted notebooks belong to a user.

With a signature without a user, everybody trusted a notebook because one person did: those are
dropped. The old table stays as long as labs of the previous version may run.
"""

import sqlalchemy as sa
from alembic import op

from jupyter_ext.database.types import ByteString, UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "fleet_trusted_notebook",
        sa.Column("username", ByteString(1020), nullable=False),
        sa.Column("algorithm", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(128), nullable=False),
        sa.Column("seen", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint(
            "username", "algorithm", "digest", name="pk_fleet_trusted_notebook"
        ),
        sa.Index("ix_fleet_trusted_notebook_seen", "seen"),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.execute("DELETE FROM fleet_notebook_signature")
