"""The event stream of a shared server, reduced to what its reader may see."""

from __future__ import annotations

from typing import Any

import jupyter_events.logger
from jupyter_server.services.events.handlers import SubscribeWebsocket

from jupyter_ext.auth.user import FleetUser
from jupyter_ext.platform.projects import ProjectNameError, ProjectPathError, split_path
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.socket_login import SocketLogin
from jupyter_ext.platform.tokens import Identity
from jupyter_ext.wire.close_codes import NOT_ACCEPTED, OF_STATUS
from jupyter_ext.wire.close_reason import close_reason

# Names of event fields that hold a path, in the schemas of jupyter_server.
_PATHS = ("path", "source_path")


def may_see(identity: Identity, event: dict[str, Any]) -> bool:
    """Whether every path in `event` is in a project that the reader may see; False for an event
    without a path."""
    paths = [event[name] for name in _PATHS if isinstance(event.get(name), str)]
    try:
        return bool(paths) and all(identity.may(split_path(path)[0], Role.VIEWER) for path in paths)
    except (ProjectNameError, ProjectPathError):
        return False


class FleetEventsHandler(SubscribeWebsocket):
    """`/api/events/subscribe`, filtered by project; it ends with its reader's login."""

    _login: SocketLogin | None = None

    def open(self) -> None:
        """Start forwarding events."""
        user = self.current_user
        if not isinstance(user, FleetUser):
            self.close(NOT_ACCEPTED, "sign in first")
            return
        self._login = self.identity_provider.watch(  # type: ignore[attr-defined]
            self,
            user.identity,
            lambda end: self.close(OF_STATUS[end.status], close_reason(end.reason)),
        )
        super().open()

    def on_close(self) -> None:
        """The reader has disconnected, or the login has ended."""
        if self._login is not None:
            self._login.stop()
            super().on_close()

    async def event_listener(
        self, logger: jupyter_events.logger.EventLogger, schema_id: str, data: dict[str, Any]
    ) -> None:
        """Send an event to a reader who may see it."""
        if self._login is not None and may_see(self._login.identity, data):
            await super().event_listener(logger, schema_id, data)
