"""The user ids of projects, and of people in them."""

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError

from gateway_ext.ownership.tables import project_uid
from jupyter_ext.database.engine import Database

FIRST_UID = 200_000
"""User ids of projects start here, above those of people, unless a gateway is told otherwise."""


class ProjectUids:
    """The user ids under which kernels run, one for each project, and one for each person with
    kernels of their own in it.

    Raises DatabaseUnavailable while the database is away.
    """

    def __init__(self, database: Database, first_uid: int = FIRST_UID) -> None:
        self._database = database
        self._first_uid = first_uid

    async def assign(self, holder: str) -> int:
        """The user id under which the kernels of a project, or of one person in it, run, chosen at
        its first use; `holder` is a name of `holder_of`."""

        def transaction(connection: Connection) -> int:
            known = connection.execute(
                select(project_uid.c.uid).where(project_uid.c.project == holder)
            ).scalar()
            if known is not None:
                return known
            highest = connection.execute(select(func.max(project_uid.c.uid))).scalar()
            # Ids that were given before the first one was changed stay with their projects.
            uid = self._first_uid if highest is None else max(self._first_uid, highest + 1)
            connection.execute(insert(project_uid).values(project=holder, uid=uid))
            return uid

        while True:
            try:
                return await self._database.run(transaction)
            except IntegrityError:
                # Another gateway took this number or named this project meanwhile: look again.
                continue
