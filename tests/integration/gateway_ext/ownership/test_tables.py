"""The gateway's tables on SQLite and MariaDB."""

from sqlalchemy import inspect

from gateway_ext.ownership.tables import GATEWAY_VERSION_TABLE, gateway_metadata
from jupyter_ext.database.engine import Database


def test_migration_makes_the_tables_of_the_code(database: Database) -> None:
    def look(connection):  # type: ignore[no-untyped-def]
        inspector = inspect(connection)
        return {
            name: {column["name"] for column in inspector.get_columns(name)}
            for name in inspector.get_table_names()
        }

    tables = database.run_blocking(look)
    assert set(tables) == {*gateway_metadata.tables, GATEWAY_VERSION_TABLE}
    for name, table in gateway_metadata.tables.items():
        assert tables[name] == {column.name for column in table.columns}
