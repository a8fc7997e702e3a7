"""User ids of projects on SQLite and MariaDB."""

import asyncio

from gateway_ext.ownership.project_uids import FIRST_UID, ProjectUids
from jupyter_ext.database.engine import Database


def test_each_project_gets_one_uid(database: Database) -> None:
    async def run() -> None:
        gateways = [ProjectUids(database) for _ in range(4)]
        projects = ["a", "b", "c"]
        uids = await asyncio.gather(
            *(each.assign(project) for each in gateways for project in projects)
        )
        by_project = {
            project: set(uids[number :: len(projects)]) for number, project in enumerate(projects)
        }
        assert all(len(found) == 1 for found in by_project.values())
        assert set(uids) == {FIRST_UID, FIRST_UID + 1, FIRST_UID + 2}

    asyncio.run(run())


def test_uids_start_where_a_fleet_is_told_and_are_kept(database: Database) -> None:
    async def run() -> None:
        before = ProjectUids(database)
        assert await before.assign("old") == FIRST_UID
        now = ProjectUids(database, first_uid=FIRST_UID + 5000)
        assert await now.assign("old") == FIRST_UID
        assert await now.assign("new") == FIRST_UID + 5000
        # Another first id never leads back to one that is in use.
        assert await before.assign("newer") == FIRST_UID + 5001

    asyncio.run(run())
