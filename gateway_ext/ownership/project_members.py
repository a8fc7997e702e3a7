"""Who has ever had a role in which project, as far as kernels are concerned."""

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from gateway_ext.ownership.tables import project_member
from jupyter_ext.database.engine import Database

MOST_REMEMBERED = 10_000
"""Pairs that a gateway does not write down again."""


class ProjectMembers:
    """People and the projects in which they have met a kernel.

    A token says who may do what now. Whether somebody could once, no token says: without it, a page
    whose user lost a role would be told that its kernel does not exist, which pages take for its
    death. Raises DatabaseUnavailable while the database is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._written: set[tuple[str, str]] = set()

    def is_written(self, username: str, project: str) -> bool:
        """Whether this gateway knows that the pair has been written down."""
        return (username, project) in self._written

    async def write(self, username: str, project: str) -> None:
        """Write down that this person has a role in this project."""
        if not await self.was_member(username, project):
            try:
                await self._database.run(
                    lambda connection: connection.execute(
                        insert(project_member).values(username=username, project=project)
                    )
                )
            except IntegrityError:
                # Another gateway was first. Anything else shows at the next look.
                return
        if len(self._written) >= MOST_REMEMBERED:
            self._written.clear()
        self._written.add((username, project))

    async def was_member(self, username: str, project: str) -> bool:
        """Whether this person has ever had a role in this project."""

        def found(connection: Connection) -> bool:
            pair = (project_member.c.username == username) & (project_member.c.project == project)
            query = select(project_member.c.project).where(pair)
            return connection.execute(query).one_or_none() is not None

        return await self._database.run(found, read_only=True)
