"""The session manager of a lab: rows in SQL, kernels at the gateways."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from tornado import web
from traitlets import Any as AnyTrait
from traitlets import Float, Instance, Unicode, default
from traitlets.config import LoggingConfigurable

from jupyter_ext.auth.user import current_identity
from jupyter_ext.database.engine import Database, DatabaseUnavailable, shared
from jupyter_ext.kernels.launches import LaunchFailed, Model, alive, runs
from jupyter_ext.kernels.manager import FleetKernelManager, require_role
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity
from jupyter_ext.sessions.checks import check_project, check_seen, checked, unknown_session
from jupyter_ext.sessions.former_kernels import ChangeWatch, former_of, give_back, settle
from jupyter_ext.sessions.kernel_changes import ended_meanwhile, other_kernel, when_changed
from jupyter_ext.sessions.left_kernels import cancel_session, end_session, end_unused, leave, stay
from jupyter_ext.sessions.models import session_model
from jupyter_ext.sessions.new_sessions import NewSession, new_session
from jupyter_ext.sessions.patch import SessionChange, patched, posted
from jupyter_ext.sessions.plain_kernels import plain_kernel
from jupyter_ext.sessions.store import document_kernels, endings, launch_choices, session_rows
from jupyter_ext.sessions.store.endings import Ending
from jupyter_ext.sessions.store.kernel_paths import with_present_paths
from jupyter_ext.sessions.store.session_rows import Session
from jupyter_ext.sessions.waiting_clients import told_failed, when_it_runs

_GONE: Model = {"state": "dead"}


class FleetSessionManager(LoggingConfigurable):
    """Sessions of the whole fleet, for the user whose request is being handled.

    A document has one kernel, however many pages, users and labs ask for it at once: the first one
    to insert the document's row starts the kernel, the others wait and attach to it. Each POST of
    a page is a session of its own; the kernel ends with the last of them.
    """

    database_url = Unicode(config=True, help="Database of the sessions.")
    lease_seconds = Float(
        15.0,
        config=True,
        help="Seconds after which another lab takes over the start of a kernel from a lab "
        "that no longer responds.",
    )
    start_patience = Float(
        150.0, config=True, help="Seconds to wait for another lab that is starting a kernel."
    )
    answer_seconds = Float(
        60.0,
        config=True,
        help="Seconds after which a client that waits until its kernel runs is answered 503. The "
        "kernel is started all the same, and the same request again joins the start.",
    )
    kernel_manager = Instance(FleetKernelManager)
    # jupyter_server passes it to every session manager.
    contents_manager = AnyTrait()
    change_seconds = Float(
        24 * 3600.0,
        config=True,
        help="Seconds for which the lab that gave a session another kernel waits until that runs "
        "or cannot be started. After that the session sweep ends the kernel that is not used.",
    )
    database = Instance(Database)

    @default("database")
    def _default_database(self) -> Database:
        return shared(self.database_url)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kernel_manager.on_choice = self._keep_choice
        self._changes = ChangeWatch(self, self.change_seconds)

    async def _keep_choice(
        self, kernel_name: str, document: str, options: Mapping[str, Any]
    ) -> None:
        keep = partial(
            launch_choices.keep,
            username=self._identity().user,
            kernel_name=kernel_name,
            path=document,
            options=options,
        )
        try:
            await self.run(keep)
        except web.HTTPError as error:
            # The kernel starts all the same.
            self.log.warning("the launch options of a start are not remembered: %s", error)

    def close(self) -> None:
        """Stop watching changes; the database belongs to the process."""
        self._changes.close()

    async def session_exists(self, path: str) -> bool:
        """Whether a session with this path and a living kernel exists."""
        return await self.find(path) is not None

    async def find(self, path: str) -> dict[str, Any] | None:
        """The model of a session with this path and a living kernel, or None."""
        found = await self._found(path)
        return session_model(*found) if found is not None and alive(found[1]) else None

    async def _found(self, path: str) -> tuple[Session, Model] | None:
        """A session with this path whose kernel the caller may use, and that kernel, which may be
        dead."""
        identity = self._identity()
        found = await self.run(
            partial(session_rows.find_session, path=path, username=identity.user)
        )
        if found is None or not identity.may(found.project, Role.VIEWER):
            return None
        try:
            with_kernel = await self._with_kernel(found)
        except web.HTTPError as error:
            if error.status_code == 403:
                return None
            raise
        if with_kernel is None:
            return None
        found, kernel = with_kernel
        if kernel.get("project", found.project) != found.project:
            # A lab of the version before has moved it here from the project of its kernel.
            return None
        # Again: with the last session the kernel goes, which was there a moment ago.
        again = await self.run(partial(session_rows.get_session, session_id=found.id))
        return (again, kernel) if again is not None and again.kernel_id == kernel["id"] else None

    async def _with_kernel(self, session: Session) -> tuple[Session, Model] | None:
        """The session and its kernel, which is the former one if the present one has failed; None
        if they are gone. Raises HTTPError."""
        kernel = await self.kernel_or_none(session.kernel_id)
        if session.former_kernel is not None and (kernel is None or not alive(kernel)):
            await self.give_back(session.kernel_id)
            again = await self.run(partial(session_rows.get_session, session_id=session.id))
            if again is None:
                return None
            session, kernel = again, await self.kernel_or_none(again.kernel_id)
        return None if kernel is None else (session, kernel)

    async def open_session(self, wanted: NewSession) -> dict[str, Any]:
        """The model of the session with this path, which is created if there is none.

        Its kernel may still be on its way, unless it is `awaited`. Then raises LaunchFailed, after
        which the session is gone if it was created for such callers alone, or StillLaunching after
        `answer_seconds`, after which the same call joins session and launch. Raises other
        HTTPErrors as well.
        """
        deadline = time.monotonic() + self.answer_seconds
        found = await self._found(wanted.path)
        if found is not None and not alive(found[1]):
            session, kernel = found
            if wanted.awaited and session.awaited and session.username == self._identity().user:
                # It failed after the caller's last request, and nobody has been told yet.
                raise await told_failed(self, session.id, LaunchFailed(kernel))
            found = None
        if found is None:
            model = await new_session(self, wanted, self._identity())
        else:
            model = session_model(*found)
            if not wanted.awaited and found[0].awaited:
                await self.run(partial(session_rows.told, session_id=found[0].id))
        return await when_it_runs(self, model, deadline) if wanted.awaited else model

    async def create_session(
        self,
        path: str,
        name: str | None = None,
        type: str = "notebook",
        kernel_name: str | None = None,
        kernel_id: str | None = None,
    ) -> dict[str, Any]:
        """See `new_session`."""
        wanted = NewSession(path, name, type, kernel_name, kernel_id)
        return await new_session(self, wanted, self._identity())

    async def start_kernel(self, **wanted: Any) -> Model:
        """See `plain_kernel`."""
        return await plain_kernel(self, self._identity(), **wanted)

    async def with_present_paths(self, kernels: list[Model]) -> list[Model]:
        """See `kernel_paths`."""
        return list(await self.run(partial(with_present_paths, kernels=kernels), read_only=True))

    async def get_session(self, session_id: str) -> dict[str, Any]:
        """The model of a session; 404 if there is none or its kernel is known to be gone."""
        found = await self._session(session_id, Role.VIEWER)
        with_kernel = await self._with_kernel(found)
        if with_kernel is None:
            raise unknown_session(session_id)
        return session_model(*with_kernel)

    async def list_sessions(self) -> list[dict[str, Any]]:
        """The models of all sessions in the caller's projects whose kernel lives.

        Raises HTTPError 503 if the gateways do not answer, because pages treat a missing session
        as ended.
        """
        identity = self._identity()
        projects = None if identity.service else list(identity.projects)
        read = partial(session_rows.sessions_of_projects, projects=projects)
        rows = await self.run(read, read_only=True)
        if not rows:
            return []
        # After the rows: a kernel that is older than its session is in this list unless it ended.
        kernels = {model["id"]: model for model in await self.kernel_manager.list_kernels()}
        failed = {
            row.kernel_id
            for row in rows
            if row.former_kernel and not alive(kernels.get(row.kernel_id, _GONE))
        }
        for kernel_id in failed:
            await self.give_back(kernel_id)
        if failed:
            rows = await self.run(read, read_only=True)
        models = [
            session_model(row, kernels[row.kernel_id]) for row in rows if row.kernel_id in kernels
        ]
        # Pages take the first session of their path, which must not be one that has ended.
        return sorted(models, key=lambda model: not alive(model["kernel"]))

    async def update_session(
        self, session_id: str, patch: SessionChange, *, wait: bool = False
    ) -> dict[str, Any]:
        """Change the given fields of a session; returns its new model, with the posted path if
        there is one, because a page adopts the path in the response.

        A new kernel is started unless such a one is already on its way, or this caller has asked
        for it before and was not told whether it runs. The old kernel ends when the new one runs,
        if no session uses it any more; if the new one cannot be started, the session has the old
        one again.
        With `wait` the new one runs when this returns: raises LaunchFailed, or StillLaunching after
        `answer_seconds`, after which the same call joins the launch.
        """
        deadline = time.monotonic() + self.answer_seconds
        present = await self._session(session_id, Role.EDITOR)
        identity = self._identity()
        kernel_id, kernel_name = patch.kernel_id, patch.kernel_name
        started: str | None = None
        kernel: Model | None = None
        left: Model | None = None
        if kernel_id is not None or kernel_name is not None:
            if present.former_kernel is not None:
                # The last change may be over by now.
                await settle(self, present.kernel_id)
                present = await self._session(session_id, Role.EDITOR)
            if kernel_id != present.kernel_id:
                left = await self.kernel_or_none(present.kernel_id)
        if kernel_id is not None:
            kernel = await self.kernel_or_none(kernel_id)
            if kernel is None:
                raise web.HTTPError(400, f"No such kernel: {kernel_id}")
            if kernel_id != present.kernel_id:
                check_project(kernel, checked(patched(present, patch), identity).project)
        elif kernel_name is not None:
            where = checked(patched(present, patch), identity).document
            awaited = present.kernel_awaited_by(identity.user) if wait else None
            kernel_id = started = await other_kernel(
                self, present, left, where, kernel_name, patch.choice, awaited=awaited
            )
        runs_already = kernel is not None and runs(kernel)

        def change(connection: Any) -> tuple[Session, Session]:
            # Read, decided and written in one transaction: another PATCH may be in progress.
            old = session_rows.hold_session(connection, session_id)
            if old is None:
                raise unknown_session(session_id)
            require_role(identity, old.project, Role.EDITOR)
            new = checked(patched(old, patch), identity)
            if kernel_id is not None and kernel_id != old.kernel_id:
                if not document_kernels.may_use(connection, kernel_id):
                    raise ended_meanwhile(kernel_id, started)
                former = None if runs_already else former_of(old, present, left, kernel_id)
                new = replace(
                    new,
                    kernel_id=kernel_id,
                    former_kernel=former,
                    awaited_kernel=None,
                    awaited_by=None,
                )
            if wait and kernel_name is not None:
                new = replace(new, awaited_kernel=kernel_id, awaited_by=identity.user)
            session_rows.change_session(connection, old=old, new=new)
            return old, new

        try:
            old, new = await self.run(change)
        except web.HTTPError as error:
            if started is not None and error.status_code < 500:
                # The session has gone meanwhile: so does the kernel that was started for it.
                await end_unused(self, started)
            raise
        changed = new.kernel_id != old.kernel_id
        if changed and new.former_kernel is not None:
            self._changes.watch(new.kernel_id)
        if kernel_id is None:
            with_kernel = await self._with_kernel(new)
            if with_kernel is None:
                raise unknown_session(session_id)
            again, kernel = with_kernel
            return session_model(posted(again, patch), kernel)
        kernel = await self.kernel_or_none(new.kernel_id)
        if kernel is None:
            await stay(self, old, new)
            self._changes.watch(old.kernel_id)
            raise ended_meanwhile(new.kernel_id, started)
        try:
            if wait:
                kernel = await when_changed(self, new, kernel, deadline)
        finally:
            if changed and await leave(self, old, new, runs_already=runs_already):
                new = replace(new, former_kernel=old.kernel_id)
                self._changes.watch(new.kernel_id)
        if new.former_kernel is not None and runs(kernel):
            await settle(self, kernel["id"])
            new = replace(new, former_kernel=None)
        return session_model(posted(new, patch), kernel)

    async def delete_session(self, session_id: str, *, launching: bool = False) -> None:
        """End a session, with `launching` only a launch; see `left_kernels`."""
        await self._session(session_id, Role.EDITOR)
        await (cancel_session if launching else end_session)(self, session_id)

    async def give_back(self, kernel_id: str) -> None:
        """See `former_kernels.give_back`."""
        await give_back(self, kernel_id)

    async def end(self, ending: Ending | None) -> None:
        """End a kernel that nobody uses any more. If it is not ended, it is given back to its
        documents, so that it can be ended later. Raises HTTPError."""
        if ending is None:
            return
        try:
            await self.end_kernel(ending.kernel_id)
        except BaseException:
            await asyncio.shield(self.run(partial(endings.restore, ending=ending)))
            raise

    async def end_kernel(
        self, kernel_id: str, reason: str = "", *, launching: bool = False
    ) -> None:
        """End a kernel whose ending has been recorded, then delete its last session.

        `reason` is for the kernel's history. Raises HTTPError 503 if no gateway has ended it; with
        `launching`, for which nothing is recorded, also 409 if it runs already.
        """
        try:
            await self.kernel_manager.shutdown_kernel(kernel_id, reason=reason, launching=launching)
        except web.HTTPError as error:
            if error.status_code != 404:
                raise
        await self.run(partial(endings.remove_kernel, kernel_id=kernel_id))

    async def _session(self, session_id: str, role: Role) -> Session:
        found = await self.run(
            partial(session_rows.get_session, session_id=session_id), read_only=True
        )
        identity = self._identity()
        if found is None:
            raise unknown_session(session_id)
        await check_seen(found, identity, self.kernel_manager.kernel_model)
        require_role(identity, found.project, role)
        return found

    async def kernel_or_none(self, kernel_id: str) -> dict[str, Any] | None:
        """The kernel's model; None only if a gateway says that there is no such kernel."""
        try:
            return await self.kernel_manager.kernel_model(kernel_id)
        except web.HTTPError as error:
            if error.status_code == 404:
                return None
            raise

    def _identity(self) -> Identity:
        identity = current_identity()
        if identity is None:
            raise web.HTTPError(403, "sign in to use sessions")
        return identity

    async def run(self, function: Any, *, read_only: bool = False) -> Any:
        """What `function(connection)` returns, in one transaction. Raises HTTPError 503 while the
        database is away."""
        try:
            return await self.database.run(function, read_only=read_only)
        except DatabaseUnavailable as error:
            raise web.HTTPError(503, str(error)) from error
