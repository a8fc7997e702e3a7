"""Codes that sign a browser in once."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from jupyter_ext.database.types import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the table, unless an earlier try did; labs of the version before do not know it."""
    token = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
    op.create_table(
        "fleet_sign_in_code",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("token", token, nullable=False),
        sa.Column("expires", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_fleet_sign_in_code"),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    op.create_index(
        "ix_fleet_sign_in_code_expires", "fleet_sign_in_code", ["expires"], if_not_exists=True
    )
