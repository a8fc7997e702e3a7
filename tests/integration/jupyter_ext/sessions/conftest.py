"""Two labs in front of scripted gateways."""

import asyncio
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
def labs(
    lab_database_url: str, gateways: Gateways, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> Iterator[list[FleetSessionManager]]:
    """The session managers of two labs; calls are those of ada."""
    databases = [Database(lab_database_url), Database(lab_database_url)]
    act_as(make_identity("ada"))
    labs = [new_lab(database, gateways) for database in databases]
    yield labs
    jp_asyncio_loop.run_until_complete(_close(labs))
    act_as(None)
    for database in databases:
        database.close()


async def _close(labs: list[FleetSessionManager]) -> None:
    for lab in labs:
        lab.close()
    # What they watched ends before the loop does.
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
