"""The audit of one server: its options, and where its events go."""

from __future__ import annotations

import logging
import queue
import socket
import threading
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from jupyter_events import EventLogger
from jupyter_events.schema import EventSchema
from tornado.web import RequestHandler
from traitlets import Bool, Enum, Int, List, TraitError, Unicode, default, validate
from traitlets.config import LoggingConfigurable

from jupyter_ext.audit.audit_event import Actor, AuditEvent, Kind, Outcome, Server
from jupyter_ext.audit.audit_file import AuditFile
from jupyter_ext.audit.event_pace import EventPace, paced
from jupyter_ext.audit.request_event import actor_of
from jupyter_ext.audit.sink_failures import SinkFailures
from jupyter_ext.audit.webhook import Webhook, poster
from jupyter_ext.platform.jwks import is_safe_url

SCHEMA_FILE = Path(__file__).parent / "event_v1.yaml"
SETTING = "fleet_audit"
"""Where handlers find the Audit, in the settings of their application."""
MOST_WAITING = 10_000
"""Events that wait to be written; of more, the newest are lost, and that is written."""
LOOK_SECONDS = 5.0
CLOSE_SECONDS = 2.0


class AuditError(Exception):
    """The audit cannot be written as it is configured; the text says why."""


class Audit(LoggingConfigurable):
    """Writes events through jupyter_events, in a thread: what a server does never waits for it.

    The events have a logger of their own, so no page can subscribe to them.
    """

    file = Unicode(
        config=True,
        help="File to which events are appended, one line of JSON each; only its owner may read "
        "it. Rotate it by renaming it. Each server needs a file of its own.",
    )
    to_log = Bool(False, config=True, help="Whether events are also lines of the server's log.")
    webhook_url = Unicode(
        config=True,
        help='URL (https) to which events are posted as {"events": […], "lost": N}. What cannot be '
        "delivered is sent again; up to 10,000 events wait.",
    )
    webhook_token_file = Unicode(
        config=True, help="File with the token that the webhook wants as Authorization: Bearer …"
    )
    kinds = List(
        Enum(tuple(str(one) for one in Kind)),
        [str(Kind.CHANGE), str(Kind.READ), str(Kind.DENIAL)],
        config=True,
        help="Which events are written: change (what changes or runs something, logins), read "
        "(files and outputs), poll (lists and states, which open pages read all the time), fleet "
        "(calls of labs, gateways and agents among each other), denial (whatever was denied).",
    )
    anonymous_events_per_minute = Int(
        60,
        min=0,
        config=True,
        help="How many events of callers without a login are written one by one, whatever became "
        "of them; of further ones the number is written.",
    )
    user_denials_per_minute = Int(
        600,
        min=0,
        config=True,
        help="The same for what was denied to each user who is signed in, or failed. What they "
        "were allowed and what worked is always written one by one.",
    )
    server_name = Unicode(
        config=True,
        help="The name of this server in events. The default is a gateway's name, else the host's.",
    )

    @default("server_name")
    def _default_server_name(self) -> str:
        return self._known_as or socket.gethostname()

    @validate("webhook_url")
    def _checked_url(self, proposal: Any) -> Any:
        if proposal["value"] and not is_safe_url(proposal["value"]):
            raise TraitError("Audit.webhook_url must begin with https://")
        return proposal["value"]

    def __init__(self, *, server_kind: str = "lab", known_as: str = "", **kwargs: Any) -> None:
        """`server_kind` is what writes: `lab`, `gateway` or `command`. `known_as` is its name
        unless it is configured."""
        self._server_kind, self._known_as = server_kind, known_as
        super().__init__(**kwargs)
        self._pace = EventPace(self.anonymous_events_per_minute, self.user_denials_per_minute)
        self._pace_lock = threading.Lock()
        self._waiting: queue.Queue[AuditEvent | None] = queue.Queue(MOST_WAITING)
        self._lost = 0
        self._events: EventLogger | None = None
        self._thread: threading.Thread | None = None
        self._failures = SinkFailures("the audit cannot be written", self.log)

    def start(self) -> None:
        """Open what events go to; without anything configured there are none. Raises AuditError."""
        handlers: list[logging.Handler] = []
        try:
            if self.file:
                handlers.append(AuditFile(Path(self.file), self.log))
        except OSError as error:
            raise AuditError(
                f"the audit file {self.file} cannot be written ({error.strerror}): set Audit.file "
                "to one that can"
            ) from error
        if self.to_log:
            handlers.append(_LogLines(self.log))
        if self.webhook_url:
            post = poster(self.webhook_url, self.webhook_token_file)
            handlers.append(Webhook(post, self.log))
        if not handlers:
            return
        self._server = Server(self._server_kind, self.server_name, _version())
        # Without this application's configuration: that is for events which pages may see.
        self._events = EventLogger(handlers=handlers)
        self._events.register_event_schema(SCHEMA_FILE)
        self._thread = threading.Thread(target=self._run, name="fleet-audit", daemon=True)
        self._thread.start()

    def record(self, event: AuditEvent) -> None:
        """Write an event, if operators want its kind; returns at once."""
        if self._events is None:
            return
        denial = event.outcome is Outcome.DENIED and Kind.DENIAL in self.kinds
        if not denial and event.kind not in self.kinds:
            return
        caller = paced(event)
        if caller is not None:
            with self._pace_lock:
                if not self._pace.admits(caller, event.outcome, time.monotonic()):
                    return
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            self._lost += 1

    def close(self) -> None:
        """Write what waits, for a moment, and end."""
        if self._thread is None or self._events is None:
            return
        try:
            self._waiting.put(None, timeout=CLOSE_SECONDS)
        except queue.Full:
            return
        self._thread.join(CLOSE_SECONDS)
        for handler in list(self._events.handlers):
            self._events.remove_handler(handler)
            handler.close()
        self._events = self._thread = None

    def _run(self) -> None:
        while True:
            try:
                event = self._waiting.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                self._write_counts(time.monotonic())
                continue
            if event is None:
                self._write_counts(float("inf"))
                return
            self._write(event)
            self._write_counts(time.monotonic())

    def _write_counts(self, now: float) -> None:
        """What was not written one by one."""
        with self._pace_lock:
            ended = self._pace.ended(now)
        for caller, outcome, number in ended:
            words = "not written one by one: there were too many in a minute"
            actor = Actor(*caller)
            self._write(
                AuditEvent("left_out", Kind.DENIAL, outcome, actor, reason=words, count=number)
            )
        lost, self._lost = self._lost, 0
        if lost:
            words = "not written: there were more than could be written"
            event = AuditEvent(
                "lost", Kind.CHANGE, Outcome.FAILED, Actor("fleet"), reason=words, count=lost
            )
            self._write(event)

    def _write(self, event: AuditEvent) -> None:
        if self._events is None:
            return
        try:
            self._events.emit(schema_id=schema_id(), data=event.document(self._server))
        except Exception as error:
            self._failures.add(error)


class _LogLines(logging.Handler):
    """Events as lines of the server's log."""

    def __init__(self, log: Any) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.info("audit: %s", self.format(record))


def schema_id() -> str:
    """The ID of events' schema."""
    return _SCHEMA.id


_SCHEMA = EventSchema(SCHEMA_FILE)


def _version() -> str:
    try:
        return version("jupyter-fleet")
    except PackageNotFoundError:
        # From a checkout that is not installed.
        return "unknown"


def audit_of(handler: RequestHandler) -> Audit | None:
    """The audit of the server that answers a request; None where there is none."""
    found: Audit | None = handler.settings.get(SETTING)
    return found


def record(
    handler: RequestHandler,
    action: str,
    outcome: Outcome,
    reason: str = "",
    kind: Kind = Kind.CHANGE,
    **objects: str,
) -> None:
    """Write an event about what has become of a request later, as the end of its websocket."""
    audit = audit_of(handler)
    if audit is not None:
        audit.record(AuditEvent(action, kind, outcome, actor_of(handler), objects, reason))
