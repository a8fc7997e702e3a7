"""All SQL of logins. Every function is one transaction's body."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from jupyter_ext.database.engine import now_utc
from jupyter_ext.logins.tables import login

KEPT = timedelta(days=1)
"""How long a login stays in the table after it has ended: until then its browser can be told why it
is no longer signed in."""
CLAIMED = timedelta(seconds=15)
"""For how long one lab alone renews a login's token."""


def add_login(
    connection: Connection, digest: str, username: str, token: str, expires: float, most: int
) -> list[str]:
    """Remember a login until `expires` (seconds since 1970), and forget those that have long
    ended.

    If the user has more than `most` then, the oldest ones end; returns their digests.
    """
    now = now_utc(connection)
    connection.execute(delete(login).where(login.c.expires < now - KEPT))
    connection.execute(delete(login).where(login.c.ended < now - KEPT))
    connection.execute(
        insert(login).values(
            digest=digest,
            username=username,
            token=token,
            created=now,
            expires=datetime.fromtimestamp(expires, UTC),
        )
    )
    of_user = select(login.c.digest).where(
        login.c.username == username, login.c.ended.is_(None), login.c.digest != digest
    )
    newest_first = of_user.order_by(login.c.created.desc(), login.c.digest)
    others = list(connection.execute(newest_first).scalars())
    too_many = others[max(0, most - 1) :]
    for one in too_many:
        end_login(connection, one)
    return too_many


def token_of(connection: Connection, digest: str) -> str | None:
    """The encrypted token of a login; None if it has ended or never was."""
    query = select(login.c.token).where(login.c.digest == digest, login.c.ended.is_(None))
    token: str | None = connection.execute(query).scalar_one_or_none()
    return token


def claim_renewal(connection: Connection, digest: str) -> tuple[bool, str | None]:
    """Whether the caller alone renews a login's token now, and that token, encrypted; None for a
    login that has ended."""
    now, renewal = now_utc(connection), login.c.renewal
    living = (login.c.digest == digest) & login.c.ended.is_(None)
    free = renewal.is_(None) | (renewal < now - CLAIMED)
    claimed = connection.execute(update(login).where(living, free).values(renewal=now)).rowcount
    token: str | None = connection.execute(select(login.c.token).where(living)).scalar_one_or_none()
    return bool(claimed), token


def keep_renewed(connection: Connection, digest: str, token: str, expires: float) -> bool:
    """Put another token into a login; whether it goes on."""
    renewed = {"token": token, "expires": datetime.fromtimestamp(expires, UTC)}
    living = (login.c.digest == digest) & login.c.ended.is_(None)
    return bool(connection.execute(update(login).where(living).values(**renewed)).rowcount)


def end_token(
    connection: Connection, digest: str, username: str, token: str, expires: float
) -> None:
    """Remember until `expires` that the login of a token has ended which has no row of its own."""
    if has_ended(connection, digest):
        return
    until = datetime.fromtimestamp(expires, UTC)
    connection.execute(
        insert(login).values(
            digest=digest,
            username=username,
            token=token,
            created=now_utc(connection),
            expires=until,
            # Rows are kept for a while after that.
            ended=until,
        )
    )


def has_ended(connection: Connection, digest: str) -> bool:
    """Whether there is a login that has ended."""
    query = select(login.c.digest).where(login.c.digest == digest, login.c.ended.is_not(None))
    return connection.execute(query).first() is not None


def end_login(connection: Connection, digest: str) -> None:
    """End a login, if there is one."""
    ended = update(login).where(login.c.digest == digest, login.c.ended.is_(None))
    connection.execute(ended.values(ended=now_utc(connection)))
