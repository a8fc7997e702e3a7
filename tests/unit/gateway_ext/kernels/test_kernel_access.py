"""Who may do what with kernels, and what others learn of them."""

import asyncio
import logging

import pytest

from gateway_ext.kernels.kernel_access import KernelAccess, is_listed, require_role
from gateway_ext.kernels.refusal import Refusal
from jupyter_ext.database.engine import DatabaseUnavailable
from jupyter_ext.platform.personal_kernels import Deed
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity
from jupyter_ext.wire.routes import ALL, MINE

KERNEL = "0b0f3c8e-9d3f-4f3e-8c0e-0d3b1f8f3c11"
LOG = logging.getLogger("test")


class Members:
    """What is written down, in memory."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self.pairs = set(pairs)
        self.away = False
        self.tries = 0

    def is_written(self, username: str, project: str) -> bool:
        return False

    async def write(self, username: str, project: str) -> None:
        self.tries += 1
        await self.was_member(username, project)
        self.pairs.add((username, project))

    async def was_member(self, username: str, project: str) -> bool:
        if self.away:
            raise DatabaseUnavailable("the database is away")
        return (username, project) in self.pairs


def identity(service: str | None = None, **projects: Role) -> Identity:
    return Identity("ada", "Ada", projects, service, 0.0, "t")


ADA = identity(demo=Role.EDITOR)


def status(
    members: Members,
    caller: Identity,
    role: Role,
    only_for: str | None = None,
    deed: Deed = Deed.USE,
) -> int:
    """200, or the status of the refusal."""

    async def ask() -> int:
        access = KernelAccess(members, LOG)  # type: ignore[arg-type]
        try:
            await access.require(caller, KERNEL, "demo", role, only_for=only_for, deed=deed)
        except Refusal as refusal:
            return refusal.status
        finally:
            # What is done in the background.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return 200

    return asyncio.run(ask())


def test_roles_in_projects() -> None:
    ada = identity(demo=Role.EDITOR, other=Role.VIEWER)
    require_role(ada, "demo", Role.EDITOR)
    require_role(ada, "other", Role.VIEWER)
    for project, role in (("other", Role.EDITOR), ("demo", Role.OWNER), ("third", Role.VIEWER)):
        with pytest.raises(Refusal) as refused:
            require_role(ada, project, role)
        assert refused.value.status == 403
    require_role(identity(service="lab"), "third", Role.OWNER)


def test_strangers_do_not_learn_that_a_kernel_exists() -> None:
    assert status(Members(), identity(other=Role.OWNER), Role.VIEWER) == 404
    assert status(Members(("bob", "demo"), ("ada", "other")), identity(), Role.VIEWER) == 404


def test_a_kernel_does_not_die_for_who_lost_the_role_in_its_project() -> None:
    members = Members()
    assert status(members, identity(demo=Role.VIEWER), Role.VIEWER) == 200
    assert status(members, identity(other=Role.OWNER), Role.VIEWER) == 403
    assert members.pairs == {("ada", "demo")}


def test_a_role_that_is_too_low_is_said_and_remembered() -> None:
    members = Members()
    assert status(members, identity(demo=Role.VIEWER), Role.EDITOR) == 403
    assert members.pairs == {("ada", "demo")}


def test_who_has_a_role_needs_no_database_and_others_are_told_that_it_is_away() -> None:
    members = Members()
    members.away = True
    assert status(members, identity(demo=Role.OWNER), Role.OWNER) == 200
    assert members.tries == 1
    with pytest.raises(DatabaseUnavailable):
        status(members, identity(), Role.VIEWER)


def test_servers_of_the_fleet_are_nobodys_members() -> None:
    members = Members()
    assert status(members, identity(service="lab"), Role.OWNER) == 200
    assert members.tries == 0


def test_a_database_that_hangs_collects_no_task_for_each_call() -> None:
    hanging = asyncio.Event()

    class Hanging(Members):
        async def write(self, username: str, project: str) -> None:
            self.tries += 1
            await hanging.wait()

    members = Hanging()

    async def calls() -> None:
        access = KernelAccess(members, LOG)  # type: ignore[arg-type]
        for _ in range(100):
            await access.require(ADA, KERNEL, "demo", Role.EDITOR, only_for=None)
            await asyncio.sleep(0)
        assert members.tries == 1
        hanging.set()
        for _ in range(5):
            await asyncio.sleep(0)
        await access.require(ADA, KERNEL, "demo", Role.EDITOR, only_for=None)
        await asyncio.sleep(0)
        assert members.tries == 2

    asyncio.run(calls())


class FirstUser:
    """The table, in memory."""

    def __init__(self, named: str | None = None) -> None:
        self.is_named = named is not None
        self.first = named

    async def served(self) -> str | None:
        return self.first

    async def claim(self, username: str) -> str:
        self.first = self.first or username
        return self.first


def test_a_fleet_of_one_user_runs_no_code_of_others() -> None:
    async def ask() -> list[int]:
        access = KernelAccess(Members(("ada", "demo")), LOG, FirstUser())  # type: ignore[arg-type]
        statuses = []
        for user, service, role in (
            # Nobody has started a kernel: whoever only calls is not the first.
            ("bob", None, Role.VIEWER),
            ("bob", None, Role.EDITOR),
            ("lab", "lab", Role.EDITOR),
            ("bob", None, "starts in vain"),
            ("ada", None, "starts"),
            ("ada", None, Role.EDITOR),
            ("bob", None, Role.EDITOR),
            ("bob", None, Role.OWNER),
            ("bob", None, "starts in vain"),
            ("bob", None, "starts"),
            ("bob", None, Role.VIEWER),
            ("ada", None, Role.OWNER),
        ):
            caller = Identity(user, user, {"demo": Role.OWNER}, service, 0.0, "t")
            try:
                if isinstance(role, Role):
                    await access.require(caller, KERNEL, "demo", role, only_for=None)
                else:
                    await access.require_served(caller, starts=True)
                if role == "starts":
                    await access.claim(caller)
                statuses.append(200)
            except Refusal as refusal:
                statuses.append(refusal.status if "--trust-everyone" in refusal.message else 0)
        return statuses

    expected = [200, 403, 200, 200, 200, 200, 403, 403, 403, 403, 200, 200]
    assert asyncio.run(ask()) == expected


def test_others_are_told_of_the_operators_choice_and_not_of_a_fleet_without_root() -> None:
    async def ask() -> list[str]:
        access = KernelAccess(Members(), LOG, FirstUser("ann"))  # type: ignore[arg-type]
        said = []
        for asked in (
            access.require(ADA, KERNEL, "demo", Role.EDITOR, only_for=None),
            access.require_served(ADA, starts=True),
            access.claim(ADA),
        ):
            with pytest.raises(Refusal) as refused:
                await asked
            said.append(refused.value.message)
        return said

    assert asyncio.run(ask()) == ["the operator lets only ann run code here"] * 3


def test_a_kernel_of_one_person_is_that_persons_and_needs_the_role_too() -> None:
    members = Members()
    assert status(members, ADA, Role.EDITOR, "ada") == 200
    assert status(members, identity(demo=Role.VIEWER), Role.EDITOR, "ada") == 403
    assert status(members, identity(), Role.VIEWER, "ada") == 403
    assert status(Members(), identity(), Role.VIEWER, "ada") == 404
    assert status(members, ADA, Role.EDITOR, "bob") == 403
    owner, lab = identity(demo=Role.OWNER), identity("lab")
    for deed, allowed in ((Deed.SEE, 200), (Deed.END, 200), (Deed.USE, 403)):
        assert status(members, owner, Role.EDITOR, "bob", deed) == allowed
        assert status(members, lab, Role.EDITOR, "bob", deed) == allowed
        assert status(members, ADA, Role.VIEWER, "bob", deed) == 403
    # Who has no role in the project learns nothing, whatever the name.
    assert status(Members(), identity(other=Role.OWNER), Role.VIEWER, "bob", Deed.SEE) == 404


def test_lists_have_kernels_of_one_person_where_they_are_asked_for() -> None:
    owner, lab = identity(demo=Role.OWNER), identity("lab")
    for caller, person, seen in (
        (ADA, None, {"", MINE, ALL}),
        (ADA, "ada", {MINE, ALL}),
        (ADA, "bob", set()),
        (owner, "bob", {ALL}),
        (lab, "bob", {ALL}),
    ):
        found = {one for one in ("", MINE, ALL, "x") if is_listed(caller, "demo", person, one)}
        assert found - {"x"} == seen
        assert ("x" in found) == (person is None)
