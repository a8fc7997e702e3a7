"""Leases for work that only one lab at a time does."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from jupyter_ext.database.engine import now_utc
from jupyter_ext.sessions.tables import lab_lease


def hold_lease(connection: Connection, name: str, holder: str, seconds: float) -> bool:
    """Take or renew the lease for the work called `name`; returns whether `holder` has it. The
    holder keeps it as long as it renews in time."""
    now = now_utc(connection)
    values = {"holder": holder, "until": now + timedelta(seconds=seconds)}
    free = (lab_lease.c.holder == holder) | (lab_lease.c.until < now)
    taken = connection.execute(
        update(lab_lease).where(lab_lease.c.name == name, free).values(**values)
    )
    if taken.rowcount:
        return True
    if connection.execute(select(lab_lease.c.name).where(lab_lease.c.name == name)).first():
        return False
    try:
        with connection.begin_nested():
            connection.execute(insert(lab_lease).values(name=name, **values))
    except IntegrityError:
        return False
    return True


def was_held(connection: Connection, name: str, seconds: float) -> bool:
    """Whether anybody has held the lease at some time in the last `seconds`."""
    since = now_utc(connection) - timedelta(seconds=seconds)
    held = select(lab_lease.c.name).where(lab_lease.c.name == name, lab_lease.c.until > since)
    return connection.execute(held).first() is not None
