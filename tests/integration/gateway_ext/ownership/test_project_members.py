"""Who has ever had a role in a project, on SQLite and MariaDB."""

import asyncio

from gateway_ext.ownership.project_members import ProjectMembers
from jupyter_ext.database.engine import Database


def test_every_gateway_knows_who_was_a_member(database: Database) -> None:
    async def run() -> None:
        one, two = ProjectMembers(database), ProjectMembers(database)
        assert not await one.was_member("ada", "demo")
        await asyncio.gather(*(each.write("ada", "demo") for each in (one, two, one)))
        assert await two.was_member("ada", "demo")
        # Who was not the first to write it learns it at the next look.
        await one.write("ada", "demo")
        assert one.is_written("ada", "demo")
        for username, project in (("ada", "other"), ("Ada", "demo"), ("ada ", "demo"), ("", "")):
            assert not await one.was_member(username, project)
            assert not one.is_written(username, project)
        # As long as names of people may be.
        await one.write("\U0001f600" * 255, "p" * 63)
        assert await two.was_member("\U0001f600" * 255, "p" * 63)

    asyncio.run(run())
