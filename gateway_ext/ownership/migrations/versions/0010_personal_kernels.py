"""Kernels of one person alone.

Their column `project` has the name of `holder_of`, which is no project's: gateways of the version
before show them to nobody, and start them again under the same user id.
"""

import sqlalchemy as sa
from alembic import op

from jupyter_ext.database.types import ByteString

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column, unless an earlier try did."""
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("fleet_kernel")}
    if "personal_project" not in columns:
        op.add_column("fleet_kernel", sa.Column("personal_project", ByteString(63), nullable=True))
