"""The user of a fleet that serves one alone."""

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from gateway_ext.ownership.tables import only_user
from jupyter_ext.database.engine import Database

_ROW = 1


class OnlyUser:
    """Whoever ran code first. Raises DatabaseUnavailable while the database is away, and it is not
    known yet who that was."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: str | None = None

    async def served(self, username: str) -> str:
        """The user whom the fleet serves: this one, if nobody came before."""
        while self._known is None:
            try:
                self._known = await self._database.run(lambda one: _first(one, username))
            except IntegrityError:
                # Another gateway was faster: look again.
                continue
        return self._known


def _first(connection: Connection, username: str) -> str:
    query = select(only_user.c.username).where(only_user.c.id == _ROW)
    found: str | None = connection.execute(query).scalar()
    if found is None:
        connection.execute(insert(only_user).values(id=_ROW, username=username))
    return username if found is None else found
