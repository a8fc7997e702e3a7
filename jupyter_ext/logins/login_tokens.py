"""The encrypted tokens of logins and codes, for a rotation of their keys."""

from __future__ import annotations

from jupyter_ext.database.encrypted_columns import EncryptedColumns
from jupyter_ext.database.engine import Database, DatabaseUnavailable
from jupyter_ext.logins.logins import LoginsAway
from jupyter_ext.logins.tables import login, sign_in_code
from jupyter_ext.platform.encryption import SecretBox


class LoginTokens:
    """Kept in the labs' database. All methods raise LoginsAway."""

    def __init__(self, database: Database, box: SecretBox) -> None:
        self._columns = EncryptedColumns(database, [login.c.token, sign_in_code.c.token], box)

    async def count(self) -> dict[str, int]:
        """How many there are of each key."""
        try:
            return await self._columns.count()
        except DatabaseUnavailable as error:
            raise LoginsAway(str(error)) from error

    async def renew(self) -> dict[str, int]:
        """Encrypt all with the newest key; how many there are of each afterwards."""
        try:
            await self._columns.renew()
            return await self._columns.count()
        except DatabaseUnavailable as error:
            raise LoginsAway(str(error)) from error
