"""Which lab renews the token of a login."""

import sqlalchemy as sa
from alembic import op

from jupyter_ext.database.types import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column, unless an earlier try did; labs of the version before leave it empty."""
    columns = {one["name"] for one in sa.inspect(op.get_bind()).get_columns("fleet_login")}
    if "renewal" not in columns:
        op.add_column("fleet_login", sa.Column("renewal", UtcDateTime, nullable=True))
