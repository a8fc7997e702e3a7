"""An HTTP server of the test's own process."""

import threading
from socketserver import BaseServer

_LOOK_SECONDS = 0.02
"""How often it looks whether it has been shut down: half a second by default, in each test."""


def serve_in_thread(server: BaseServer) -> None:
    """Serves in a thread of its own until somebody calls `shutdown`."""
    threading.Thread(target=server.serve_forever, args=(_LOOK_SECONDS,), daemon=True).start()
