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

from gateway_ext.agent.walls.network import REACH, WHY, Reach, ways_of
from gateway_ext.kernel_tools.name_look_up import is_unanswered

_REFUSED = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT}


def load_ipython_extension(shell: Any) -> None:
    """Called by IPython."""
    if not words_about_network(os.environ):
        return

    def say(result: Any) -> None:
        error = result.error_in_exec
        if is_of_network(error):
            shell.events.unregister("post_run_cell", say)
            unanswered = any(is_unanswered(one) for one in _chain(error))
            words = words_about_network(os.environ, unanswered=unanswered, cut=is_cut())
            print(words, file=sys.stderr, flush=True)

    shell.events.register("post_run_cell", say)


def words_about_network(
    environment: Mapping[str, str], *, unanswered: bool = False, cut: bool = False
) -> str:
    """What this kernel reaches; empty if it is what its machine reaches. With `unanswered`, no name
    server has answered it; with `cut`, nothing leads out of its network."""
    reach, why = environment.get(REACH, ""), environment.get(WHY, "")
    if reach == Reach.NONE:
        because = f" ({why})" if why else ""
        return f"This kernel reaches no network{because}. Whoever runs the fleet can change that."
    if reach == Reach.INTERNET and cut:
        return (
            "This kernel has no way to the internet at the moment. It gets one again by itself as "
            "soon as that can be done; Kernel Details in the page says why it has none."
        )
    if reach == Reach.INTERNET and unanswered:
        return (
            "No name server answers this kernel, which asks those that its machine had when the "
            "kernel started. If the machine's network has changed since, restart the kernel; else "
            "whoever runs the fleet can look why they do not answer."
        )
    if reach == Reach.INTERNET:
        return (
            "This kernel reaches the internet, but no private network and nothing of its machine. "
            "Whoever runs the fleet can allow addresses of those."
        )
    return ""


def is_cut() -> bool:
    """Whether nothing leads out of this process's network."""
    return not ways_of("self")


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
