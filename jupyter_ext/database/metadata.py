"""The collection of the lab's tables."""

from sqlalchemy import MetaData

NAMING_CONVENTION = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Every constraint has a name, so that a later migration can drop it on any database."""

lab_metadata = MetaData(naming_convention=NAMING_CONVENTION)
"""Tables of the lab. The gateway has its own MetaData, perhaps in another database."""

LAB_VERSION_TABLE = "fleet_lab_version"
"""Where Alembic keeps the revision of the lab's tables."""
