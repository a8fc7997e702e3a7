"""All SQL of revocations: one row for each user and project. Every function is one transaction's
body."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from jupyter_ext.database.engine import now_utc
from jupyter_ext.logins.tables import revocation
from jupyter_ext.platform.revocations import LONGEST_TOKEN_SECONDS, Revocation, Revoked

OVERLAP = timedelta(seconds=60)
"""How long a transaction may take: a row is seen by others only then, with the time of before."""

_KEPT = timedelta(seconds=LONGEST_TOKEN_SECONDS)


def add_revocation(connection: Connection, one: Revocation) -> None:
    """Keep a revocation; an earlier one of the same name stays if it holds for longer. Forget those
    that concern no token any more."""
    table, until = revocation.c, datetime.fromtimestamp(one.until, UTC)
    now = now_utc(connection)
    values = {"until": until, "changed": now}
    connection.execute(delete(revocation).where(table.until < now - _KEPT))
    same = (table.kind == str(one.kind)) & (table.name == one.name)
    longer = update(revocation).where(same, table.until < until).values(**values)
    if connection.execute(select(table.name).where(same)).first() is not None:
        connection.execute(longer)
        return
    try:
        with connection.begin_nested():
            connection.execute(
                insert(revocation).values(kind=str(one.kind), name=one.name, **values)
            )
    except IntegrityError:
        connection.execute(longer)


def revocations_since(
    connection: Connection, seen: datetime | None
) -> tuple[list[Revocation], datetime]:
    """Those that were added after `seen`, and some from before that; and the next `seen`."""
    now = now_utc(connection)
    query = select(revocation)
    if seen is not None:
        query = query.where(revocation.c.changed > seen - OVERLAP)
    found = [
        Revocation(Revoked(row.kind), row.name, row.until.timestamp())
        for row in connection.execute(query)
    ]
    return found, now
