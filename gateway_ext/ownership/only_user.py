"""The user of a fleet that serves one alone."""

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from gateway_ext.ownership.tables import only_user
from jupyter_ext.database.engine import Database

_ROW = 1


class OnlyUser:
    """Whoever the operator names, or else started the first kernel. Raises DatabaseUnavailable
    while the database is away, and it is not known yet who that was."""

    def __init__(self, database: Database, named: str = "") -> None:
        """`named` is whom the operator names."""
        self._database = database
        self.is_named = bool(named)
        """Whether it is the operator who names the user."""
        self._known = named or None

    async def served(self) -> str | None:
        """The user whom the fleet serves; None if that is nobody yet."""
        if self._known is None:
            self._known = await self._database.run(_read)
        return self._known

    async def claim(self, username: str) -> str:
        """The same: this one, if it was nobody before."""
        while self._known is None:
            try:
                self._known = await self._database.run(lambda one: _first(one, username))
            except IntegrityError:
                # Another gateway was faster: look again.
                continue
        return self._known


def _read(connection: Connection) -> str | None:
    found: str | None = connection.execute(
        select(only_user.c.username).where(only_user.c.id == _ROW)
    ).scalar()
    return found


def _first(connection: Connection, username: str) -> str:
    found = _read(connection)
    if found is None:
        connection.execute(insert(only_user).values(id=_ROW, username=username))
    return username if found is None else found
