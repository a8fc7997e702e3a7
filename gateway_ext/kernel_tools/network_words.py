"""Says, when a cell fails because of the network, what of the network its kernel reaches.

An IPython extension.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from gateway_ext.agent.walls.network import REACH, WHY, Reach

_REFUSED = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT}


def load_ipython_extension(shell: Any) -> None:
    """Called by IPython."""
    words = words_about_network(os.environ)
    if not words:
        return

    def say(result: Any) -> None:
        if is_of_network(result.error_in_exec):
            shell.events.unregister("post_run_cell", say)
            print(words, file=sys.stderr, flush=True)

    shell.events.register("post_run_cell", say)


def words_about_network(environment: Mapping[str, str]) -> str:
    """What this kernel reaches; empty if it is what its machine reaches."""
    reach, why = environment.get(REACH, ""), environment.get(WHY, "")
    if reach == Reach.NONE:
        because = f" ({why})" if why else ""
        return f"This kernel reaches no network{because}. Whoever runs the fleet can change that."
    if reach == Reach.INTERNET:
        return (
            "This kernel reaches the internet, but no private network and nothing of its machine. "
            "Whoever runs the fleet can allow addresses of those."
        )
    return ""


def is_of_network(error: BaseException | None) -> bool:
    """Whether an exception, or one that has led to it, says that something cannot be reached."""
    return any(_is_refusal(one) for one in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        # Clients put what they met into their own as an argument.
        inner = (one for one in error.args if isinstance(one, BaseException))
        reason = getattr(error, "reason", None)
        error = error.__cause__ or error.__context__ or next(inner, None) or reason
        if not isinstance(error, BaseException):
            return


def _is_refusal(error: BaseException) -> bool:
    if isinstance(error, socket.gaierror):
        return True
    return isinstance(error, OSError) and error.errno in _REFUSED
