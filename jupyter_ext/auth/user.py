"""The user of a request, also for code that has no access to the request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jupyter_server.auth import User
from jupyter_server.base.call_context import CallContext

from jupyter_ext.platform.kernel_tickets import KernelTicket
from jupyter_ext.platform.tokens import Identity


@dataclass
class FleetUser(User):
    """A jupyter_server user with the verified identity behind it."""

    identity: Identity = field(kw_only=True, repr=False, compare=False)

    @classmethod
    def of(cls, identity: Identity) -> FleetUser:
        """The user that a verified token speaks for."""
        return cls(
            username=identity.user,
            name=identity.display_name,
            display_name=identity.display_name,
            initials=initials_of(identity.display_name),
            identity=identity,
        )

    def model(self) -> dict[str, Any]:
        """What others may see of the user; the token and the projects are not in it."""
        return {
            "username": self.username,
            "name": self.name,
            "display_name": self.display_name,
            "initials": self.initials,
            "avatar_url": self.avatar_url,
            "color": self.color,
        }


@dataclass
class KernelSide(User):
    """What runs beside one kernel, which called with that kernel's ticket: nobody who is logged
    in."""

    ticket: KernelTicket = field(kw_only=True, repr=False, compare=False)

    @classmethod
    def of(cls, ticket: KernelTicket) -> KernelSide:
        """The holder of a verified ticket."""
        return cls(username=f"kernel {ticket.kernel_id}", ticket=ticket)


def initials_of(display_name: str) -> str:
    """Up to two letters: the initials of the first and the last word of the name."""
    words = display_name.split()
    if not words:
        return ""
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


def current_identity() -> Identity | None:
    """The identity behind the request that is being handled; None outside of a request."""
    handler = CallContext.get(CallContext.JUPYTER_HANDLER)
    identity = getattr(getattr(handler, "current_user", None), "identity", None)
    return identity if isinstance(identity, Identity) else None


def current_ticket() -> KernelTicket | None:
    """The ticket of the request that is being handled; None for callers without one."""
    handler = CallContext.get(CallContext.JUPYTER_HANDLER)
    user = getattr(handler, "current_user", None)
    return user.ticket if isinstance(user, KernelSide) else None


def current_username() -> str | None:
    """The name of the user whose request is being handled; None without one, and for services."""
    identity = current_identity()
    return None if identity is None or identity.service else identity.user
