"""Tickets with which what runs beside one kernel calls labs (docs/protocols.md).

Labs sign them and check them, with a key that all labs of a fleet derive from the secret that they
share. Whoever holds a ticket acts for that one kernel, on the few routes that take tickets.
"""

from __future__ import annotations

import contextlib
import hmac
import math
import time
from dataclasses import dataclass

import jwt

from jupyter_ext.platform.personal_kernels import check_holder
from jupyter_ext.platform.projects import ProjectNameError
from jupyter_ext.platform.roles import Role

AUDIENCE = "jupyter-fleet-kernel"
TYPE = "kernel-ticket"
"""In the header of a ticket: no other token of a fleet has it."""
MOST_EPOCH = 2**63 - 1
"""As many as a column of a database can have."""

_ALGORITHM = "HS256"
_PURPOSE = b"jupyter-fleet kernel tickets"
_TEXTS = ("sub", "project", "role", "user", "path", "kernel_name")


class TicketError(Exception):
    """The ticket is not accepted; the text says why and contains nothing secret."""


@dataclass(frozen=True)
class KernelTicket:
    """Whose a kernel is, as its gateway has told a lab."""

    kernel_id: str
    project: str
    """Or the name of one person in it, if it is that person's alone (`holder_of`)."""
    role: Role
    """What the kernel's side may do in its project."""
    username: str
    path: str
    kernel_name: str
    epoch: int
    """Of the owner that asked for the ticket: a later owner's outdates it."""


class KernelTickets:
    """Issues and checks tickets."""

    def __init__(self, secret: bytes, *former: bytes) -> None:
        """`secret` is shared by all labs of a fleet, and by nobody else. What was signed with
        `former` ones is accepted as well."""
        # Keys of their own: what is signed with them is valid nowhere else.
        self._key, *self._former = (
            hmac.digest(one, _PURPOSE, "sha256") for one in (secret, *former)
        )

    def issue(self, ticket: KernelTicket, seconds: float) -> str:
        """The ticket as text, for so many seconds from now; raises TicketError for one that would
        not be accepted."""
        now = time.time()
        claims = {
            "aud": AUDIENCE,
            "iat": int(now),
            "exp": math.ceil(now + seconds),
            "sub": ticket.kernel_id,
            "project": ticket.project,
            "role": str(ticket.role),
            "user": ticket.username,
            "path": ticket.path,
            "kernel_name": ticket.kernel_name,
            "epoch": ticket.epoch,
        }
        ticket_from_claims(claims)
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM, headers={"typ": TYPE})

    def verify(self, token: str) -> KernelTicket:
        """What the ticket says; raises TicketError."""
        if not token.isascii():
            raise TicketError("this is not a ticket (a signed JWT is expected)")
        try:
            claims = self._decoded(token)
        except jwt.ExpiredSignatureError as error:
            raise TicketError("the ticket has expired: the kernel's gateway gets a new one") from (
                error
            )
        except jwt.PyJWTError as error:
            raise TicketError(f"the ticket is not valid: {error}") from error
        return ticket_from_claims(claims)

    def has_signature(self, token: str) -> bool:
        """Whether a lab of this fleet has signed this, which may have expired since."""
        for key in (self._key, *self._former):
            with contextlib.suppress(jwt.PyJWTError, UnicodeError):
                jwt.PyJWS().decode(token, key, algorithms=[_ALGORITHM])
                return True
        return False

    def _decoded(self, token: str) -> dict[str, object]:
        for key in self._former:
            with contextlib.suppress(jwt.InvalidSignatureError):
                return self._decoded_with(key, token)
        return self._decoded_with(self._key, token)

    def _decoded_with(self, key: bytes, token: str) -> dict[str, object]:
        claims: dict[str, object] = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            audience=AUDIENCE,
            # "Issued in the future" only says that two clocks differ.
            options={"require": ["exp", "aud", "epoch", *_TEXTS], "verify_iat": False},
        )
        return claims


def is_ticket(token: str) -> bool:
    """Whether a bearer token claims to be a ticket, which `KernelTickets.verify` then checks."""
    try:
        return bool(jwt.get_unverified_header(token).get("typ") == TYPE)
    except jwt.PyJWTError:
        return False


def ticket_from_claims(claims: dict[str, object]) -> KernelTicket:
    """The ticket that has these claims; raises TicketError for claims that none has."""
    texts = {}
    for name in _TEXTS:
        text = claims[name]
        if not isinstance(text, str):
            raise TicketError(f"the ticket's {name} must be a string")
        texts[name] = text
    epoch = claims["epoch"]
    if type(epoch) is not int or not 0 < epoch <= MOST_EPOCH:
        raise TicketError("the ticket's epoch must be a whole number above 0")
    if not texts["sub"]:
        raise TicketError("the ticket names no kernel")
    try:
        check_holder(texts["project"])
        role = Role(texts["role"])
    except (ProjectNameError, ValueError) as error:
        raise TicketError(str(error)) from error
    return KernelTicket(
        kernel_id=texts["sub"],
        project=texts["project"],
        role=role,
        username=texts["user"],
        path=texts["path"],
        kernel_name=texts["kernel_name"],
        epoch=epoch,
    )
