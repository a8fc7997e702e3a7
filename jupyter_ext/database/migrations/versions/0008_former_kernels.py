"""Which kernel a session had before the one that is on its way to it."""

import sqlalchemy as sa
from alembic import op

from jupyter_ext.database.types import ByteString

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLE, _COLUMN = "fleet_session", "former_kernel"
_INDEX = "ix_fleet_session_former_kernel"


def upgrade() -> None:
    """Adds the column and its index, unless an earlier try did."""
    inspector = sa.inspect(op.get_bind())
    if _COLUMN not in {column["name"] for column in inspector.get_columns(_TABLE)}:
        op.add_column(_TABLE, sa.Column(_COLUMN, ByteString(64), nullable=True))
    if _INDEX not in {index["name"] for index in inspector.get_indexes(_TABLE)}:
        op.create_index(_INDEX, _TABLE, [_COLUMN])
