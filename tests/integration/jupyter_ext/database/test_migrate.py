"""Migrations against real databases, by many processes at once."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from jupyter_ext.database.engine import Database
from jupyter_ext.database.migrate import MigrationError, upgrade

MIGRATION = """
import sqlalchemy as sa
from alembic import op
revision = "{revision}"
down_revision = {down}
def upgrade():
    op.create_table("t{revision}", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO t{revision} (id) VALUES (1)")
"""
VERSIONS = "test_version"


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder with two migrations that fail when run twice."""
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    for revision, down in (("0001", None), ("0002", "0001")):
        source = MIGRATION.format(revision=revision, down=repr(down))
        (versions / f"{revision}_x.py").write_text(source)
    return versions.parent


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def test_runs_what_is_missing_once(database: Database, scripts: Path) -> None:
    later = scripts / "versions" / "0002_x.py"
    source = later.read_text()
    later.unlink()
    upgrade(database, scripts, VERSIONS)
    assert set(inspect(database.engine).get_table_names()) == {"t0001", VERSIONS}
    later.write_text(source)
    for _ in range(2):
        upgrade(database, scripts, VERSIONS)
    assert set(inspect(database.engine).get_table_names()) == {"t0001", "t0002", VERSIONS}
    revision = database.run_blocking(
        lambda c: c.execute(text(f"SELECT version_num FROM {VERSIONS}")).scalar_one()
    )
    assert revision == "0002"


def test_many_processes_at_once(database: Database, scripts: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from jupyter_ext.database.engine import Database\n"
        "from jupyter_ext.database.migrate import upgrade\n"
        "upgrade(Database(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])\n"
    )
    command = [sys.executable, "-c", program, database.url, str(scripts), VERSIONS]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(6)]
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 6, errors
    rows = database.run_blocking(lambda c: c.execute(text("SELECT COUNT(*) FROM t0002")).scalar())
    assert rows == 1


def test_refuses_a_database_newer_than_the_code(database: Database, scripts: Path) -> None:
    upgrade(database, scripts, VERSIONS)
    (scripts / "versions" / "0002_x.py").unlink()
    with pytest.raises(MigrationError, match="newer than this version"):
        upgrade(database, scripts, VERSIONS)
