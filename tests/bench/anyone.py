"""A server that asks nobody who they are: the peers are measured without a login too."""

from typing import Any

from jupyter_server.auth import IdentityProvider

from jupyter_ext.auth.user import FleetUser
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity

CALLER = Identity(
    user="bench",
    display_name="Bench",
    projects={"demo": Role.OWNER},
    service=None,
    expires=4e9,
    token="none",
)


class Anyone(IdentityProvider):
    """Every caller is the owner of the project demo."""

    def get_user(self, handler: Any) -> FleetUser:
        handler._token_authenticated = True
        return FleetUser.of(CALLER)
