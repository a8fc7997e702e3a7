"""Base of the gateway's websockets."""

from typing import Any

from tornado import websocket

from gateway_ext.kernels.handlers.refused_calls import RefusedCalls


class FleetSocket(RefusedCalls, websocket.WebSocketHandler):
    """A websocket whose caller is admitted first, which takes a while."""

    _caller_left = False

    def on_connection_close(self) -> None:
        self._caller_left = True
        super().on_connection_close()

    async def upgrade(self, *args: Any) -> None:
        """Opens the websocket and returns when it is closed. Does nothing if the caller has left
        meanwhile: Tornado would call `open`, and `on_close` never again."""
        if not self._caller_left:
            await super().get(*args)
