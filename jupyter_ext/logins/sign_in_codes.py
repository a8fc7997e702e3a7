"""Codes that sign a browser in once: a platform's server gets one for a token, and sends its user's
browser to the login with it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from sqlalchemy import Connection, delete, insert, select

from jupyter_ext.database.engine import Database, DatabaseUnavailable, now_utc
from jupyter_ext.logins.logins import LoginsAway
from jupyter_ext.logins.sealing import SealError, open_token, seal_token
from jupyter_ext.logins.session_id import digest_of, is_code, new_code
from jupyter_ext.logins.tables import sign_in_code
from jupyter_ext.platform.encryption import SecretBox
from jupyter_ext.platform.tokens import Identity

CODE_SECONDS = 60
"""How long a code is valid unless its maker asks for longer: a redirect takes a moment."""
MOST_SECONDS = 3600
MOST_OF_A_USER = 20


class SignInCodes:
    """Kept in the labs' database as logins are. All methods raise LoginsAway."""

    def __init__(self, database: Database, box: SecretBox) -> None:
        self._database = database
        self._box = box

    async def make(self, identity: Identity, seconds: float = CODE_SECONDS) -> str:
        """A new code for the holder of a verified token. If they have more than `MOST_OF_A_USER`
        then, the oldest ones are no longer valid."""
        code = new_code(self._box)
        digest = digest_of(code)
        token = seal_token(self._box, digest, identity.token)

        add = partial(_add, digest=digest, user=identity.user, token=token, seconds=seconds)
        try:
            await self._database.run(add)
        except DatabaseUnavailable as error:
            raise LoginsAway(str(error)) from error
        return code

    async def look(self, code: str) -> str | None:
        """The token that a code stands for, which is still good afterwards; None if it is not."""
        return await self._token(code, take=False)

    async def take(self, code: str) -> str | None:
        """The same for the last time: of several who ask, one gets it."""
        return await self._token(code, take=True)

    async def _token(self, code: str, *, take: bool) -> str | None:
        if not is_code(self._box, code):
            return None
        digest = digest_of(code)
        try:
            sealed = await self._database.run(partial(_found, digest=digest, take=take))
            return None if sealed is None else open_token(self._box, digest, sealed)
        except DatabaseUnavailable as error:
            raise LoginsAway(str(error)) from error
        except SealError:
            # Its key was removed meanwhile.
            return None


def _add(connection: Connection, digest: str, user: str, token: str, seconds: float) -> None:
    table, now = sign_in_code.c, now_utc(connection)
    connection.execute(delete(sign_in_code).where(table.expires < now))
    of_user = select(table.digest).where(table.username == user)
    newest_first = of_user.order_by(table.created.desc(), table.digest)
    too_many = list(connection.execute(newest_first).scalars())[MOST_OF_A_USER - 1 :]
    if too_many:
        connection.execute(delete(sign_in_code).where(table.digest.in_(too_many)))
    expires = now + timedelta(seconds=seconds)
    values = {"digest": digest, "username": user, "token": token, "created": now}
    connection.execute(insert(sign_in_code).values(**values, expires=expires))


def _found(connection: Connection, digest: str, take: bool) -> str | None:
    mine = sign_in_code.c.digest == digest
    query = select(sign_in_code.c.token).where(mine, sign_in_code.c.expires > now_utc(connection))
    token: str | None = connection.execute(query).scalar_one_or_none()
    if token is None or not take:
        return token
    # Another transaction may have read the same.
    return token if connection.execute(delete(sign_in_code).where(mine)).rowcount else None
