"""Sessions whose kernel one person has alone, beside those of everybody."""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import replace
from functools import partial
from typing import Any

from tornado import web

from jupyter_ext.database.engine import now_utc
from jupyter_ext.kernels.launch_rules import Choice
from jupyter_ext.kernels.launches import LaunchFailed, Model, alive
from jupyter_ext.kernels.manager import project_of, require_role
from jupyter_ext.platform.roles import Role
from jupyter_ext.sessions.checks import check_lengths, checked, unknown_session
from jupyter_ext.sessions.document_starts import kernel_environment
from jupyter_ext.sessions.manager import FleetSessionManager
from jupyter_ext.sessions.models import session_model
from jupyter_ext.sessions.new_sessions import NewSession
from jupyter_ext.sessions.patch import SessionChange, patched, posted
from jupyter_ext.sessions.paths import Document, real_path
from jupyter_ext.sessions.store import moves, personal_rows, session_rows
from jupyter_ext.sessions.store.personal_rows import ENDED
from jupyter_ext.sessions.store.session_rows import Session


class PersonalSessionManager(FleetSessionManager):
    """The sessions of the fleet, of which each person sees their own in place of a document's while
    they have a kernel for it alone.

    A person has one such kernel for a document at most, and nobody else is told of it. Where the
    person had the document open, their session keeps its id; all others go on in it with the
    document's kernel. A session whose kernel has died or was ended by others stays its person's, so
    that what they run next does not go into the kernel of all.
    """

    async def find(self, path: str) -> Model | None:
        """See the base class; the caller's own session first."""
        own = await self._own(partial(personal_rows.of_path, path=path))
        kernel = None if own is None else await self._kernel(own)
        if own is not None and kernel is not None and alive(kernel):
            return session_model(own, kernel)
        return await super().find(path)

    async def open_session(self, wanted: NewSession) -> Model:
        """See the base class. Whoever has, or asks for, a kernel of the document alone gets a
        session with that one, which is started if it does not live."""
        identity, choice, name = self._identity(), wanted.choice, wanted.name or ""
        document = Document(real_path(wanted.path, wanted.name, wanted.type), wanted.type)
        check_lengths(path=wanted.path, name=name, type_=wanted.type, real=document.path)
        own = await self._own(partial(personal_rows.of_document, document=document))
        if own is not None and own.kernel_id == ENDED and not choice.only_for_me:
            await self.run(partial(personal_rows.forget, present=own))
            own = None
        chosen = await self._chosen(wanted.kernel_id, document)
        if chosen is None and own is None and not choice.only_for_me:
            return await super().open_session(wanted)
        project = project_of(document.path)
        if not project:
            raise web.HTTPError(400, "a session needs a path within a project")
        require_role(identity, project, Role.EDITOR)
        if own is None:
            new_session = partial(
                session_rows.new_session,
                kernel_id=str(uuid.uuid4()),
                document=document,
                shown_path=wanted.path,
                name=name or document.base,
                username=identity.user,
            )
            session = await self.run(new_session)
        else:
            session = own
        if chosen is not None:
            put = partial(
                personal_rows.put,
                wanted=replace(session, kernel_id=chosen["id"]),
                instead_of=None if own is None else own.kernel_id,
            )
            own, kernel = await self.run(put), chosen
        else:
            own, kernel = await self._started(session, own, wanted.kernel_name, choice)
        return await self._told(replace(own, shown_path=wanted.path), kernel, wait=wanted.awaited)

    async def start_kernel(self, **wanted: Any) -> Model:
        """See the base class. A notebook gives its caller their own kernel, if they ask for one."""
        path, choice = wanted.get("path") or "", wanted["choice"]
        if not choice.only_for_me or not path.endswith(".ipynb"):
            return await super().start_kernel(**wanted)
        notebook = NewSession(
            path, kernel_name=wanted["kernel_name"], kernel_id=wanted["kernel_id"], choice=choice
        )
        model = await self.open_session(notebook)
        kernel: Model = model["kernel"]
        if wanted["kernel_id"] not in (None, kernel["id"]):
            raise web.HTTPError(
                409, f"your own kernel of {path!r} is {kernel['id']}: leave out kernel_id to use it"
            )
        return kernel

    async def get_session(self, session_id: str) -> Model:
        """See the base class."""
        own = await self._own(partial(personal_rows.of_id, session_id=session_id))
        if own is None:
            return await super().get_session(session_id)
        require_role(self._identity(), own.project, Role.VIEWER)
        kernel = await self._kernel(own)
        if kernel is None:
            raise unknown_session(session_id)
        return session_model(own, kernel)

    async def list_sessions(self) -> list[Model]:
        """See the base class. Of a document that the caller has their own session of, that one
        alone is listed, and none while its kernel is gone: pages go on in what is there."""
        identity = self._identity()
        found: list[Session] = []
        if identity.service is None:
            read = partial(
                personal_rows.of_projects,
                projects=list(identity.projects),
                username=identity.user,
            )
            found = await self.run(read, read_only=True)
        shared = await super().list_sessions()
        if not found:
            return shared
        # After the rows, as there.
        kernels = {model["id"]: model for model in await self.kernel_manager.list_kernels()}
        own = [
            session_model(row, kernels[row.kernel_id]) for row in found if row.kernel_id in kernels
        ]
        sessions, documents = {row.id for row in found}, {row.document for row in found}
        return own + [
            model
            for model in shared
            if model["id"] not in sessions
            and Document(model["document_path"], model["type"]) not in documents
        ]

    async def update_session(
        self, session_id: str, patch: SessionChange, *, wait: bool = False
    ) -> Model:
        """See the base class.

        A caller who asks for a kernel alone gets one, and nobody else's session changes. In a
        session that has such a kernel, any other one that is asked for is the document's, which is
        started if there is none and replaced for nobody; the caller's own ends.
        """
        own = await self._own(partial(personal_rows.of_id, session_id=session_id))
        if own is None and not patch.choice.only_for_me:
            return await super().update_session(session_id, patch, wait=wait)
        identity = self._identity()
        present = own or await self._session(session_id, Role.EDITOR)
        require_role(identity, present.project, Role.EDITOR)
        wanted = checked(patched(present, patch), identity)
        others = await self._shared(session_id)
        renamed = SessionChange(patch.path, patch.name, patch.type)
        if others is not None and renamed != SessionChange():
            # The document has another name for everybody.
            await super().update_session(session_id, renamed)
        if patch.choice.only_for_me:
            if own is None:
                wanted = replace(wanted, username=identity.user)
                earlier = await self.run(
                    partial(
                        personal_rows.of_document,
                        document=wanted.document,
                        username=identity.user,
                    )
                )
                if earlier is not None:
                    # From another page: the person has one kernel of the document, in one session.
                    await self.run(partial(personal_rows.forget, present=earlier))
                    await self._end_unused(earlier.kernel_id)
            else:
                await self._change(own, wanted)
            became, kernel = await self._started(
                wanted, own, patch.kernel_name, patch.choice, another=own is not None
            )
            if own is not None and own.kernel_id not in (became.kernel_id, ENDED):
                await self._end_unused(own.kernel_id)
            return await self._told(posted(became, patch), kernel, wait=wait)
        if own is None:
            raise unknown_session(session_id)
        if patch.kernel_name is not None or patch.kernel_id not in (None, own.kernel_id):
            return await self._back(own, wanted, others, patch, wait=wait)
        await self._change(own, wanted)
        own_kernel = await self._kernel(own)
        if own_kernel is None:
            raise unknown_session(session_id)
        return session_model(posted(wanted, patch), own_kernel)

    async def delete_session(self, session_id: str, *, launching: bool = False) -> None:
        """See the base class. Of the caller's own session the own kernel ends, and nobody else's
        session changes."""
        own = await self._own(partial(personal_rows.of_id, session_id=session_id))
        if own is None:
            await super().delete_session(session_id, launching=launching)
            return
        require_role(self._identity(), own.project, Role.EDITOR)
        if own.kernel_id != ENDED and await self._is_last(own.kernel_id):
            await self.end_kernel(own.kernel_id, launching=launching)
        await self.run(partial(personal_rows.end, present=own))

    async def _own(self, find: Any) -> Session | None:
        """What `find(connection, username=…)` says of the caller; None for our own servers."""
        identity = self._identity()
        if identity.service is not None:
            return None
        found: Session | None = await self.run(
            partial(find, username=identity.user), read_only=True
        )
        return found

    async def _shared(self, session_id: str) -> Session | None:
        """The session with this id that all others have."""
        found: Session | None = await self.run(
            partial(session_rows.get_session, session_id=session_id), read_only=True
        )
        return found

    async def _kernel(self, own: Session) -> Model | None:
        """The kernel of the caller's own session; None if there is none."""
        return None if own.kernel_id == ENDED else await self.kernel_or_none(own.kernel_id)

    async def _chosen(self, kernel_id: str | None, document: Document) -> Model | None:
        """The caller's own kernel, if `kernel_id` is one, for a console of it; raises HTTPError
        (400) for another notebook, which it is not for."""
        if kernel_id is None or self._identity().service is not None:
            return None
        kernel = await self.kernel_or_none(kernel_id)
        if kernel is None or kernel.get("only_for") != self._identity().user:
            return None
        if document.type == "notebook":
            own = await self._own(partial(personal_rows.of_document, document=document))
            if own is None or own.kernel_id != kernel_id:
                raise web.HTTPError(
                    400,
                    f"kernel {kernel_id} is your own for another notebook: a notebook needs one of"
                    " its own",
                )
        if kernel.get("project") != project_of(document.path):
            raise web.HTTPError(400, f"kernel {kernel_id} belongs to another project")
        return kernel

    async def _started(
        self,
        wanted: Session,
        own: Session | None,
        kernel_name: str | None,
        choice: Choice,
        *,
        another: bool = False,
    ) -> tuple[Session, Model]:
        """The caller's own session and its kernel, which is started unless one lives; with
        `another` unless one is on its way. `own` is what the session was when the caller asked,
        None if there was none."""
        choice = replace(choice, only_for_me=True)
        if own is not None and own.kernel_id != ENDED:
            present = replace(wanted, kernel_id=own.kernel_id)
            kernel = await self._kernel(own)
            if kernel is None:
                # Written and not started yet, by somebody who asks at the same time, or gone.
                kernel = await self._launched(present, kernel_name, choice)
            if kernel is not None and (
                kernel.get("state") == "launching" or (alive(kernel) and not another)
            ):
                return present, kernel
            if kernel is not None:
                kernel_name = kernel_name or kernel["name"]
        fresh = await self.run(_with_new_kernel(wanted))
        put = partial(
            personal_rows.put_new, wanted=fresh, instead_of=None if own is None else own.kernel_id
        )
        # Its id is written before it is started: of several who ask at once, all start the same.
        became: Session = await self.run(put)
        try:
            kernel = await self._launched(became, kernel_name, choice)
        except web.HTTPError as error:
            if error.status_code < 500 and became.kernel_id == fresh.kernel_id:
                await self._give_back(became, own)
            raise
        if kernel is None:
            raise web.HTTPError(503, "this notebook's kernel keeps being ended: try again")
        return became, kernel

    async def _launched(
        self, own: Session, kernel_name: str | None, choice: Choice
    ) -> Model | None:
        """The kernel of the caller's own session, which is started if it never was; None if it has
        been ended. Raises HTTPError."""
        try:
            return await self.kernel_manager.launch(
                kernel_id=own.kernel_id,
                path=own.path,
                kernel_name=kernel_name,
                env=kernel_environment(own.path),
                choice=choice,
            )
        except web.HTTPError as error:
            if error.status_code == 409 and await self._kernel(own) is None:
                return None
            raise

    async def _change(self, own: Session, wanted: Session) -> None:
        """Rename the caller's own session. The kernel of another one that was there ends."""
        left = await self.run(partial(moves.move_own, old=own, new=wanted))
        if left is not None:
            # What is not ended now, the session sweep ends.
            with contextlib.suppress(web.HTTPError):
                await self.end_kernel(left)

    async def _give_back(self, became: Session, own: Session | None) -> None:
        """The kernel was not started: the caller has what they had before."""
        if own is None:
            await self.run(partial(personal_rows.forget, present=became))
        else:
            put = partial(personal_rows.put, wanted=own, instead_of=became.kernel_id)
            await self.run(put)

    async def _back(
        self,
        own: Session,
        wanted: Session,
        others: Session | None,
        patch: SessionChange,
        *,
        wait: bool,
    ) -> Model:
        """The session of everybody, which the caller has again."""
        await self.run(partial(personal_rows.forget, present=own))
        kernel_id = patch.kernel_id
        try:
            if others is not None and kernel_id is not None:
                model = await super().update_session(others.id, SessionChange(kernel_id=kernel_id))
            else:
                new = NewSession(
                    wanted.path,
                    wanted.name,
                    wanted.type,
                    patch.kernel_name,
                    kernel_id,
                    patch.choice,
                    awaited=wait,
                )
                model = await super().open_session(new)
                if others is not None and others.kernel_id == model["kernel"]["id"]:
                    model = session_model(others, model["kernel"])
        except web.HTTPError:
            await self.run(partial(personal_rows.put, wanted=own, instead_of=None))
            raise
        await self._end_unused(own.kernel_id)
        return model

    async def _told(self, own: Session, kernel: Model, *, wait: bool) -> Model:
        """The session's model, when its kernel runs if the caller waits for that. Raises
        HTTPError."""
        if wait:
            try:
                kernel = await self.kernel_manager.until_it_runs(kernel, self.answer_seconds)
            except LaunchFailed:
                await self.run(partial(personal_rows.forget, present=own))
                raise
        return session_model(own, kernel)

    async def _is_last(self, kernel_id: str) -> bool:
        uses: int = await self.run(partial(personal_rows.uses, kernel_id=kernel_id), read_only=True)
        return uses <= 1

    async def _end_unused(self, kernel_id: str) -> None:
        """End the caller's kernel if none of their sessions has it any more."""
        uses = await self.run(partial(personal_rows.uses, kernel_id=kernel_id), read_only=True)
        if kernel_id != ENDED and not uses:
            await self.end_kernel(kernel_id)


def _with_new_kernel(wanted: Session) -> Any:
    def made(connection: Any) -> Session:
        return replace(wanted, kernel_id=str(uuid.uuid4()), created=now_utc(connection))

    return made
