"""HTTP handlers of kept journals."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any, cast

from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_ext.auth.user import current_identity, current_ticket
from jupyter_ext.contents.http_errors import raises_http_errors
from jupyter_ext.error_body import ErrorBody
from jupyter_ext.journals.kept import KeptJournals
from jupyter_ext.journals.rows import AnotherPart, AnotherProject, EarlierOwner, Journal, Kernel
from jupyter_ext.journals.tables import KERNEL_BYTES, KERNEL_NAME_BYTES, PATH_BYTES, USER_BYTES
from jupyter_ext.kernels.manager import FleetKernelManager, project_of, require_role
from jupyter_ext.platform.fair_turns import FairTurns
from jupyter_ext.platform.kernel_tickets import KernelTicket
from jupyter_ext.platform.personal_kernels import check_holder, holder_of, is_personal
from jupyter_ext.platform.projects import ProjectNameError
from jupyter_ext.platform.roles import Role
from jupyter_ext.wire.journal_parts import MOST_NUMBER, MOST_PART_BYTES, PartError
from jupyter_ext.wire.routes import EVENTS_ROUTE, JOURNAL_ROUTE, path_of, pattern_of

DOCUMENT_JOURNALS = 20
"""So many are listed of one document."""
LOST_SECONDS = 2.0
"""What a kernel whose container was killed said so shortly before may be missing, if its agent kept
up with it."""
_READERS = 2
"""So many people read at once, each one answer: what one gets is several times in memory."""
_MOST_WAITING = 4
"""So many requests of a person, and parts of a kernel, wait for their turn; as many parts of a
kernel may be on their way to a lab."""
_WRITERS = 16
"""So many kernels' parts are written at once, one of each: more is no agent's doing."""
_END_SECONDS = 3.0
"""How long gateways are asked for a kernel's end."""


@web.stream_request_body
class JournalHandler(ErrorBody, APIHandler):
    """`/api/fleet/kernels/{id}/journal`.

    Anybody may begin to send a body: nothing is held of it before the caller is known, nor of one
    that is longer than a part may be, or that comes beside many of the same kernel. It is read to
    its end all the same: whoever is still sending would not read an answer that comes before.
    """

    def initialize(
        self,
        journals: KeptJournals,
        turns: FairTurns[str],
        writers: FairTurns[str],
        coming: Counter[str],
    ) -> None:
        """`coming` counts the parts of each kernel of which not all has come."""
        self._journals = journals
        self._turns = turns
        self._writers = writers
        self._coming = coming
        self._is_coming = self._is_closed = False
        self._body: list[bytes] = []
        self._size = 0
        self._kernel: Kernel | None = None
        self._refusal: web.HTTPError | None = None

    async def prepare(self) -> None:  # type: ignore[override]
        if self.request.method != "POST":
            await super().prepare()
            return
        try:
            await super().prepare()
            kernel = self._sender()
            if max(self._coming[kernel.id], self._writers.waiting(kernel.id)) >= _MOST_WAITING:
                raise self._too_many()
        except web.HTTPError as error:
            self._refusal = error
            return
        self._kernel = kernel
        if not self._is_closed:
            self._is_coming = True
            self._coming[kernel.id] += 1

    def _too_many(self) -> web.HTTPError:
        self.set_header("Retry-After", "1")
        return web.HTTPError(503, "other parts of this kernel come first: try again")

    def _has_come(self) -> None:
        """All of the part, or nothing more of it will come."""
        if self._is_coming and self._kernel is not None:
            self._is_coming = False
            self._coming -= Counter([self._kernel.id])

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._is_closed = True
        self._has_come()

    def data_received(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > MOST_PART_BYTES:
            self._body.clear()
        elif self._kernel is not None:
            self._body.append(chunk)

    @raises_http_errors
    async def post(self, kernel_id: str) -> None:
        """Keep a part of the kernel with whose ticket it comes. Gateways pass on those of agents of
        the version before; other services may not."""
        kernel = self._kernel
        if kernel is None:
            raise self._refusal or web.HTTPError(403)
        self._has_come()
        if self._size > MOST_PART_BYTES:
            raise web.HTTPError(
                413, f"the body has {self._size} bytes, more than {MOST_PART_BYTES}"
            )
        if self._writers.waiting(kernel.id) >= _MOST_WAITING:
            raise self._too_many()
        try:
            async with self._writers.turn(kernel.id):
                await self._journals.keep(kernel, b"".join(self._body))
        except PartError as error:
            raise web.HTTPError(400, f"this is no part of a journal: {error}") from error
        except (AnotherPart, AnotherProject, EarlierOwner) as error:
            raise web.HTTPError(409, str(error)) from error
        self.set_status(204)
        self.finish()

    def _sender(self) -> Kernel:
        """The kernel whose part this is; raises HTTPError for callers that may send none."""
        ticket, identity = current_ticket(), current_identity()
        if ticket is not None:
            return _kernel_of(ticket)
        if identity is not None and identity.service == "gateway":
            return self._passed_on(self.path_kwargs["kernel_id"])
        raise web.HTTPError(403, "only gateways pass on what kernels say")

    def _passed_on(self, kernel_id: str) -> Kernel:
        project = self.get_query_argument("project")
        try:
            check_holder(project)
        except ProjectNameError as error:
            raise web.HTTPError(400, str(error)) from error
        return Kernel(
            _short(kernel_id, KERNEL_BYTES),
            project,
            _short(self.get_query_argument("path", "", strip=False).strip("/"), PATH_BYTES),
            _short(self.get_query_argument("username", "", strip=False), USER_BYTES),
            _short(self.get_query_argument("kernel_name", ""), KERNEL_NAME_BYTES),
        )

    @web.authenticated
    @raises_http_errors
    async def get(self, kernel_id: str) -> None:
        """What a kernel has said last, as `Told.packed` writes it; `?before=N` for what it said
        before, `?journal=J` of an earlier launch, `?head=1` without the messages."""
        found = await self._journals.of_kernel(kernel_id)
        wanted = self.get_query_argument("journal", "")
        journal = next((one for one in found if wanted in ("", one.journal)), None)
        if journal is not None and not _may_see(journal) and _may_know(journal):
            raise web.HTTPError(403, f"the kernel {kernel_id} is {journal.username}'s alone")
        if journal is None or not _may_see(journal):
            raise web.HTTPError(404, f"nothing is kept of what the kernel {kernel_id} said")
        about = {
            **journal_model(journal),
            "end": await self._end(kernel_id),
            "journals": [one.journal for one in found],
        }
        if self._turns.waiting(self.current_user.username) >= _MOST_WAITING:
            self.set_header("Retry-After", "1")
            raise web.HTTPError(
                503, "your other requests for what kernels have said come first: try again"
            )
        async with self._turns.turn(self.current_user.username):
            body = await self._told(journal, about)
        self.set_header("Content-Type", "application/octet-stream")
        self.finish(body)

    async def _told(self, journal: Journal, about: dict[str, Any]) -> bytes:
        told, more = await self._journals.read(journal, self._before())
        if told is None:
            raise web.HTTPError(404, "nothing is kept of what the kernel said before that")
        if self.get_query_argument("head", ""):
            told.messages.clear()
        lost = lost_seconds(complete=journal.complete, behind=told.behind)
        about = {**about, "lost_seconds": lost, "earlier": more}
        return await asyncio.to_thread(told.packed, about)

    def _before(self) -> int | None:
        text = self.get_query_argument("before", "")
        if not text:
            return None
        if not text.isdecimal() or not 0 < int(text[:20]) <= MOST_NUMBER:
            raise web.HTTPError(400, "before must be the number of a message")
        return int(text)

    async def _end(self, kernel_id: str) -> dict[str, Any] | None:
        """What gateways know of the kernel's end, as long as they remember it: the agent may have
        died with its kernel, without a word. None if they do not know the kernel, or are away."""
        manager = cast(FleetKernelManager, self.kernel_manager)
        path = path_of(EVENTS_ROUTE, kernel_id=kernel_id)
        try:
            answer = await manager.gateways.call(
                "GET", path, seconds=_END_SECONDS, patience=_END_SECONDS
            )
        except web.HTTPError:
            return None
        kernel = answer["kernel"]
        return {"state": kernel["state"], "reason": kernel["reason"]}


class DocumentJournalsHandler(ErrorBody, APIHandler):
    """`/api/fleet/journals/{path}`."""

    def initialize(self, journals: KeptJournals) -> None:
        self._journals = journals

    @web.authenticated
    @raises_http_errors
    async def get(self, path: str) -> None:
        """Of which kernels of a document something is kept, the newest first."""
        document = path.strip("/")
        require_role(current_identity(), project_of(document), Role.VIEWER)
        found = await self._journals.of_document(document, DOCUMENT_JOURNALS)
        shown = [journal_model(one) for one in found if _may_see(one)]
        self.finish(json.dumps({"journals": shown}))


def lost_seconds(*, complete: bool, behind: bool) -> float | None:
    """What the kernel said so shortly before its end may be missing; None if that is not known."""
    if complete:
        return 0.0
    return None if behind else LOST_SECONDS


def journal_model(journal: Journal) -> dict[str, Any]:
    """What readers are told of a journal."""
    personal = is_personal(journal.project)
    return {
        "kernel": journal.kernel_id,
        "journal": journal.journal,
        "project": project_of(journal.path) if personal else journal.project,
        "only_for": journal.username if personal else None,
        "path": journal.path,
        "username": journal.username,
        "kernel_name": journal.kernel_name,
        "created": journal.created.isoformat(),
        "changed": journal.changed.isoformat(),
        "bytes": journal.bytes,
        "process": journal.process,
        "reason": journal.reason,
        "complete": journal.complete,
    }


def _kernel_of(ticket: KernelTicket) -> Kernel:
    return Kernel(
        _short(ticket.kernel_id, KERNEL_BYTES),
        ticket.project,
        _short(ticket.path.strip("/"), PATH_BYTES),
        _short(ticket.username, USER_BYTES),
        _short(ticket.kernel_name, KERNEL_NAME_BYTES),
        ticket.epoch,
    )


def _may_see(journal: Journal) -> bool:
    """Whether the caller is a viewer of the journal's project; of the journal of a kernel that one
    person has alone, which is kept under their name there, that person."""
    identity = current_identity()
    if identity is None or not is_personal(journal.project):
        return identity is not None and identity.may(journal.project, Role.VIEWER)
    return identity.service is None and any(
        holder_of(project, identity.user) == journal.project for project in identity.projects
    )


def _may_know(journal: Journal) -> bool:
    """Whether a kernel that somebody else has alone is in a project in which the caller has a
    role."""
    identity = current_identity()
    if identity is None or not is_personal(journal.project) or not journal.path:
        return False
    return identity.role(project_of(journal.path)) is not None


def _short(text: str, most: int) -> str:
    if len(text.encode()) > most:
        raise web.HTTPError(400, f"{text[:50]!r}… is longer than {most} bytes")
    return text


def handlers(journals: KeptJournals) -> list[tuple[Any, ...]]:
    """The routes of kept journals."""
    arguments = {"journals": journals}
    turns: FairTurns[str] = FairTurns(_READERS, 1)
    return [
        (
            pattern_of(JOURNAL_ROUTE),
            JournalHandler,
            {
                **arguments,
                "turns": turns,
                "writers": FairTurns(_WRITERS, 1),
                "coming": Counter[str](),
            },
        ),
        (r"/api/fleet/journals/(?P<path>.+)", DocumentJournalsHandler, arguments),
    ]
