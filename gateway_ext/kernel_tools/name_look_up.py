"""Whether name servers answer this kernel."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

ANSWER_SECONDS = 3.0
"""One that answers does it sooner; the system asks for longer, and several times."""


def no_server_answers(
    host: str, look_up: Callable[[str, None], object] = socket.getaddrinfo
) -> bool:
    """Whether no name server answers when this name is looked up; one that does not know the name
    has answered. Waits for up to `ANSWER_SECONDS`."""
    answered = threading.Event()

    def ask() -> None:
        try:
            look_up(host, None)
        except (OSError, UnicodeError) as error:
            if is_unanswered(error):
                return
        answered.set()

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(ANSWER_SECONDS)
    return not answered.is_set()


def is_unanswered(error: BaseException) -> bool:
    """Whether an exception says that no name server has answered."""
    return isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
