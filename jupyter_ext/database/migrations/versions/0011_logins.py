"""Logins of browsers, under the hash of the ID in their cookie."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from jupyter_ext.database.types import ByteString, UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the table, unless an earlier try did; labs of the version before do not know it."""
    token = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
    op.create_table(
        "fleet_login",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("username", ByteString(1020), nullable=False),
        sa.Column("token", token, nullable=False),
        sa.Column("created", UtcDateTime, nullable=False),
        sa.Column("expires", UtcDateTime, nullable=False),
        sa.Column("ended", UtcDateTime, nullable=True),
        sa.PrimaryKeyConstraint("digest", name="pk_fleet_login"),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_index("ix_fleet_login_username", "fleet_login", ["username"], if_not_exists=True)
    op.create_index("ix_fleet_login_expires", "fleet_login", ["expires"], if_not_exists=True)
    op.create_index("ix_fleet_login_ended", "fleet_login", ["ended"], if_not_exists=True)
