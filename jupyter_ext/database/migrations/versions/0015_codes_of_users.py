"""Whose a sign-in code is and when it was made, so that nobody has more than a few."""

import sqlalchemy as sa
from alembic import op

from jupyter_ext.database.types import ByteString, UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns, unless an earlier try did; labs of the version before leave them empty."""
    columns = {one["name"] for one in sa.inspect(op.get_bind()).get_columns("fleet_sign_in_code")}
    for column in (
        sa.Column("username", ByteString(1020), nullable=True),
        sa.Column("created", UtcDateTime, nullable=True),
    ):
        if column.name not in columns:
            op.add_column("fleet_sign_in_code", column)
    op.create_index(
        "ix_fleet_sign_in_code_username", "fleet_sign_in_code", ["username"], if_not_exists=True
    )
