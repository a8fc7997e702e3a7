"""Which routes each user may call: a route is either in the table (`routes`) or refused.

The table is checked for every request before its handler runs. Where the URL names the project, the
table states the required role; where only the body or a kernel id does, the handler's code decides.
Stock jupyter_server asks its authorizer on some routes only. Because a lab is shared, routes that
change the server itself, or start a shell on it, are not in the table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from jupyter_ext.auth.routes import ROUTES
from jupyter_ext.platform import export_formats
from jupyter_ext.platform.kernel_tickets import KernelTicket
from jupyter_ext.platform.projects import ProjectNameError, ProjectPathError, split_path
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.route_table import READ, Call, Route, Who, find
from jupyter_ext.platform.tokens import Identity


class Answer(Enum):
    """What to do with a request."""

    ALLOW = "allow"
    LOG_IN = "log in"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Decision:
    """The answer to one request, with the reason and the HTTP status of a refusal."""

    answer: Answer
    reason: str = ""
    status: int = 403


def decide(call: Call, caller: Identity | KernelTicket | None) -> Decision:
    """Whether `caller` (None: nobody is logged in) may make this call."""
    found = find(ROUTES, call)
    if isinstance(caller, KernelTicket):
        return _with_ticket(found, caller)
    identity = caller
    if found is None:
        if identity is None:
            return Decision(Answer.LOG_IN)
        return Decision(Answer.REFUSE, _not_available(call.method, call.path))
    entry, match = found
    if entry.who is Who.EVERYBODY:
        return Decision(Answer.ALLOW)
    if identity is None:
        return Decision(Answer.LOG_IN)
    if identity.service == "gateway" and entry.who not in (Who.SERVICES, Who.KERNELS):
        return Decision(Answer.REFUSE, "gateways have no business with what users have")
    if identity.service or entry.who is Who.USERS:
        return Decision(Answer.ALLOW)
    if entry.who in (Who.SERVICES, Who.KERNELS):
        return Decision(Answer.REFUSE, f"{call.path} is for the fleet's own servers")
    return _in_project(entry.who, unquote(match["path"]), identity)


def _in_project(who: Who, path: str, identity: Identity) -> Decision:
    """Whether the caller may reach a file, to which only `who` of its project may get."""
    try:
        project, _ = split_path(path)
    except (ProjectNameError, ProjectPathError):
        # That no such project exists is no secret, and the contents manager explains it better.
        return Decision(Answer.ALLOW)
    if not project:
        if who is Who.VIEWERS:
            return Decision(Answer.ALLOW)
        return Decision(Answer.REFUSE, "nothing can be created or changed outside the projects")
    if identity.role(project) is None:
        return Decision(Answer.REFUSE, f"there is no project {project!r} that you may see", 404)
    role = Role.EDITOR if who is Who.EDITORS else Role.VIEWER
    if not identity.may(project, role):
        return Decision(Answer.REFUSE, f"you are not {article(role)} of the project {project!r}")
    return Decision(Answer.ALLOW)


def _with_ticket(found: tuple[Route, re.Match[str]] | None, ticket: KernelTicket) -> Decision:
    if found is None or found[0].who is not Who.KERNELS:
        return Decision(Answer.REFUSE, "a kernel's ticket is not for this route")
    if found[1]["kernel"] != ticket.kernel_id:
        return Decision(Answer.REFUSE, "the ticket is another kernel's")
    return Decision(Answer.ALLOW)


def _not_available(method: str, path: str) -> str:
    format = export_formats.format_of(unquote(path)) if method in READ else None
    if format is not None:
        return export_formats.why_not_export(format)
    return f"{method} {path} is not available to users of this fleet"


def article(role: Role) -> str:
    """`a viewer`, `an editor`, `an owner`."""
    return f"{'a' if role is Role.VIEWER else 'an'} {role}"
