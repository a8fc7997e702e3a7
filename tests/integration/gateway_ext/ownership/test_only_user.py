"""The user of a fleet that serves one alone, on SQLite and MariaDB."""

import asyncio

from gateway_ext.ownership.only_user import OnlyUser
from jupyter_ext.database.engine import Database


def test_every_gateway_serves_whoever_came_first(database: Database) -> None:
    async def run() -> None:
        assert await OnlyUser(database).served() is None
        gateways = [OnlyUser(database) for _ in range(4)]
        names = ["ada", "bob", "\U0001f600" * 255, "eve"]
        served = await asyncio.gather(
            *(each.claim(name) for each, name in zip(gateways, names, strict=True))
        )
        assert len(set(served)) == 1
        assert served[0] in names
        assert await OnlyUser(database).claim("mallory") == served[0]
        assert await OnlyUser(database).served() == served[0]
        # Whoever came first, the operator's word counts.
        handed_over = OnlyUser(database, "grace")
        assert (handed_over.is_named, gateways[0].is_named) == (True, False)
        assert await handed_over.claim("mallory") == await handed_over.served() == "grace"

    asyncio.run(run())
