"""The event of a request that was answered."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from http.client import responses
from typing import Any
from urllib.parse import unquote

from tornado.web import HTTPError, RequestHandler

from jupyter_ext.audit.audit_event import Actor, AuditEvent, Kind, Outcome
from jupyter_ext.audit.audited_calls import AuditTable, audited
from jupyter_ext.audit.notes import file_object, notes_of, request_id_of
from jupyter_ext.platform.kernel_tickets import KernelTicket
from jupyter_ext.platform.route_table import handler_name
from jupyter_ext.platform.tokens import Identity

LOGIN_DIGITS = 12
_NOTED = ("project", "path", "to", "kernel", "session", "name")
_DENIED = (401, 403, 405)
_KERNEL = re.compile(r"/api/(?:fleet/)?kernels/([^/]+)")
_SESSION = re.compile(r"/api/sessions/([^/]+)")
_FILE = re.compile(
    r"/(?:api/contents|api/fleet/versions|api/fleet/journals|files|nbconvert/\w+)"
    r"(/.+?)(?:/checkpoints(?:/[\w-]+)?|/trust)?"
)


def request_event(handler: RequestHandler, table: AuditTable, base_url: str) -> AuditEvent:
    """The event of the request that `handler` has just answered. If it is an error, this is called
    where the error is handled."""
    notes = notes_of(handler)
    call = audited(table, handler_name(type(handler)), handler.request.method or "")
    error = sys.exc_info()[1]
    hidden = str(getattr(error, "for_audit", ""))
    status = handler.get_status()
    outcome = outcome_of(status, refused=bool(notes.get("refused") or hidden))
    path = (handler.request.path or "").removeprefix(base_url.rstrip("/"))
    return AuditEvent(
        action=notes.get("action", call.action),
        kind=Kind(notes.get("kind", call.kind)),
        outcome=outcome,
        actor=actor_of(handler),
        object={**objects_in(path), **{k: notes[k] for k in _NOTED if k in notes}, "url": path},
        reason=reason_of(outcome, status, notes, hidden, error),
        status=status,
        request=request_id_of(handler),
    )


def outcome_of(status: int, *, refused: bool) -> Outcome:
    """What an HTTP status means; `refused` if whatever decides about it has said so."""
    if refused or status in _DENIED:
        return Outcome.DENIED
    return Outcome.ALLOWED if status < 400 else Outcome.FAILED


def reason_of(
    outcome: Outcome,
    status: int,
    notes: Mapping[str, Any],
    hidden: str,
    error: BaseException | None,
) -> str:
    """Why. Of what failed only the status: messages of these may quote what was sent."""
    if outcome is Outcome.ALLOWED:
        return ""
    if outcome is Outcome.DENIED:
        said = notes.get("refused") or hidden or _message_of(error)
        if said:
            return str(said)
    return responses.get(status, "")


def _message_of(error: BaseException | None) -> str:
    if isinstance(error, HTTPError):
        return str(error.get_message() or error.reason or "")
    return str(getattr(error, "message", ""))


def actor_of(handler: RequestHandler) -> Actor:
    """Who has sent a request."""
    notes = notes_of(handler)
    caller = notes.get("caller")
    address = handler.request.remote_ip or ""
    login = str(notes.get("login", ""))[:LOGIN_DIGITS]
    if isinstance(caller, KernelTicket):
        return Actor("kernel", caller.kernel_id, "", address)
    if isinstance(caller, Identity):
        return Actor("service" if caller.service else "user", caller.user, login, address)
    return Actor(str(notes.get("actor", "nobody")), "", login, address)


def objects_in(path: str) -> dict[str, str]:
    """What the address of a call names, below the base URL and still escaped."""
    if found := _KERNEL.match(path):
        return {"kernel": unquote(found[1])}
    if found := _SESSION.match(path):
        return {"session": unquote(found[1])}
    if found := _FILE.fullmatch(path):
        file = file_object(unquote(found[1]))
        return {"project": file["project"], "path": file["path"]}
    return {}
