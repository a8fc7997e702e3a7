"""Two labs in front of scripted gateways."""

from collections.abc import Iterator

import pytest

from jupyter_ext.database.engine import Database
from jupyter_ext.sessions.manager import FleetSessionManager
from tests.integration.jupyter_ext.contents.conftest import act_as, make_identity
from tests.integration.jupyter_ext.sessions.scripted_labs import Gateways, new_lab


@pytest.fixture
def gateways() -> Gateways:
    return Gateways()


@pytest.fixture
def labs(lab_database_url: str, gateways: Gateways) -> Iterator[list[FleetSessionManager]]:
    """The session managers of two labs; calls are those of ada."""
    databases = [Database(lab_database_url), Database(lab_database_url)]
    act_as(make_identity("ada"))
    yield [new_lab(database, gateways) for database in databases]
    act_as(None)
    for database in databases:
        database.close()
