"""Which kernel of a session a client waits for that has asked for another one."""

import sqlalchemy as sa
from alembic import op

from jupyter_ext.database.types import ByteString

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COLUMNS = {"awaited_kernel": 64, "awaited_by": 1020}


def upgrade() -> None:
    """Adds the columns, unless an earlier try did."""
    present = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("fleet_session")}
    for name, length in _COLUMNS.items():
        if name not in present:
            op.add_column("fleet_session", sa.Column(name, ByteString(length), nullable=True))
