"""Sessions whose clients wait until the kernel runs."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

SESSIONS = "fleet_session"


def upgrade() -> None:
    present = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(SESSIONS)}
    if "awaited" not in present:
        op.add_column(SESSIONS, sa.Column("awaited", sa.Boolean, nullable=True))
