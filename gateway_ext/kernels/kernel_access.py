"""Whether a caller may do something with a kernel."""

import logging

from gateway_ext.kernels.background_tasks import BackgroundTasks
from gateway_ext.kernels.refusal import Refusal, unknown_kernel
from gateway_ext.ownership.only_user import OnlyUser
from gateway_ext.ownership.project_members import ProjectMembers
from jupyter_ext.database.engine import DatabaseUnavailable
from jupyter_ext.platform.personal_kernels import Deed, allows
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity
from jupyter_ext.wire.routes import ALL, MINE

WHY_ONE_USER = (
    "kernels run as whoever has started the fleet, whose files the code of others would reach. Its "
    "operator can name another user (`jupyter fleet up --only-user NAME`), run it as root, allow "
    "user namespaces, or, if everybody is trusted, run `jupyter fleet up --trust-everyone`"
)


def require_role(identity: Identity, project: str, role: Role) -> None:
    """Raises Refusal (403) unless the caller has at least `role` in `project`."""
    if not identity.may(project, role):
        raise Refusal(
            403,
            f"{identity.user} is not {role.value} of project {project!r}: ask an owner of "
            "the project",
        )


def is_listed(identity: Identity, project: str, person: str | None, wanted: str) -> bool:
    """Whether a kernel is in a list for the caller, who has a role in its project, and `wanted`
    kernels of one person as `PERSONAL` says."""
    if person is None:
        return True
    if wanted == ALL:
        return allows(identity, project, person, Deed.SEE)
    return wanted == MINE and identity.service is None and identity.user == person


class KernelAccess:
    """What callers may do with kernels, and what those learn who may not.

    Who never had a role in the kernel's project does not learn that it exists: 404. Who has one, or
    lost it, gets 403: a page takes 404 for the death of its kernel.
    """

    def __init__(
        self, members: ProjectMembers, log: logging.Logger, only_user: OnlyUser | None = None
    ) -> None:
        """With `only_user`, nobody else runs code."""
        self._members = members
        self._only_user = only_user
        self._log = log
        self._background = BackgroundTasks(log)
        self._being_written: set[tuple[str, str]] = set()

    async def require(
        self,
        identity: Identity,
        kernel_id: str,
        project: str,
        role: Role,
        *,
        only_for: str | None,
        deed: Deed = Deed.USE,
    ) -> None:
        """Raises Refusal, 403 or 404, unless the caller has at least `role` in the project of this
        kernel, and whose kernel it is (`only_for`) permits the deed; DatabaseUnavailable if that
        decides between them. Needs no database otherwise."""
        self.met(identity, project)
        if identity.role(project) is None and not await self._was_member(identity, project):
            hidden = unknown_kernel(kernel_id)
            hidden.for_audit = f"{identity.user} has no role in {project!r}"
            raise hidden
        require_role(identity, project, role)
        if not allows(identity, project, only_for, deed):
            raise Refusal(403, f"kernel {kernel_id} is {only_for}'s alone")
        if role is not Role.VIEWER:
            await self.require_served(identity)

    async def require_served(self, identity: Identity, *, starts: bool = False) -> None:
        """Raises Refusal (403) if the fleet serves another user alone; DatabaseUnavailable if that
        is not known. While it serves nobody yet one who `starts` a kernel may go on."""
        if self._only_user is None or identity.service is not None:
            return
        served = await self._only_user.served()
        if served is None and not starts:
            raise Refusal(
                403,
                "this fleet runs code of one user alone, who is whoever starts a kernel first: "
                f"start one, then you can use this kernel. {WHY_ONE_USER}",
            )
        if served not in (None, identity.user):
            raise self._served_alone(served)

    async def claim(self, identity: Identity) -> None:
        """The caller starts a kernel, and nothing is wrong with that: a fleet that serves nobody
        yet serves this user from now on. Raises as `require_served` does."""
        if self._only_user is None or identity.service is not None:
            return
        served = await self._only_user.claim(identity.user)
        if served != identity.user:
            raise self._served_alone(served)

    def met(self, identity: Identity, project: str) -> None:
        """Remember, beside all else, that the caller has a role in a project, if that is so."""
        if identity.service or identity.role(project) is None:
            return
        pair = (identity.user, project)
        # Once at a time: a database that hangs must not collect a task for each call.
        if pair not in self._being_written and not self._members.is_written(*pair):
            self._being_written.add(pair)
            self._background.start(self._write(*pair))

    def _served_alone(self, served: str | None) -> Refusal:
        if self._only_user is not None and self._only_user.is_named:
            # Whatever kernels run as: it is what the operator wants.
            return Refusal(403, f"the operator lets only {served} run code here")
        return Refusal(403, f"this fleet runs code of {served} alone: {WHY_ONE_USER}")

    async def _was_member(self, identity: Identity, project: str) -> bool:
        return self._members.is_written(identity.user, project) or (
            await self._members.was_member(identity.user, project)
        )

    async def _write(self, username: str, project: str) -> None:
        try:
            await self._members.write(username, project)
        except DatabaseUnavailable as error:
            # The next call writes it down.
            self._log.info("%r of project %r is not noted yet: %s", username, project, error)
        finally:
            self._being_written.discard((username, project))
