"""Whose kernels of one person are, and the names under which what is theirs is kept."""

import pytest

from jupyter_ext.platform.kernel_tickets import KernelTicket, KernelTickets
from jupyter_ext.platform.personal_kernels import (
    Deed,
    allows,
    check_holder,
    holder_of,
    is_personal,
    wanted_project,
)
from jupyter_ext.platform.projects import ProjectNameError, check_project_name
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity


def caller(user: str, service: str | None = None, **projects: Role) -> Identity:
    return Identity(user, user, projects, service, 0.0, "t")


def test_only_their_person_uses_them_and_owners_may_end_them() -> None:
    for identity, allowed in (
        (caller("ann", demo=Role.EDITOR), set(Deed)),
        (caller("bob", demo=Role.EDITOR), set()),
        (caller("bob", demo=Role.OWNER), {Deed.SEE, Deed.END}),
        (caller("bob", other=Role.OWNER), set()),
        # A server of the fleet that is called as a person is.
        (caller("ann", "lab"), {Deed.SEE, Deed.END}),
    ):
        assert {deed for deed in Deed if allows(identity, "demo", "ann", deed)} == allowed
        assert all(allows(identity, "demo", None, deed) for deed in Deed)


def test_a_person_has_another_name_in_each_project_and_none_of_a_project() -> None:
    names = [holder_of(*who) for who in (("a", "b"), ("a", "c"), ("ab", ""), ("a", None))]
    assert len(set(names)) == 4
    assert [is_personal(name) for name in names] == [True, True, True, False]
    for name in names[:3]:
        assert check_holder(name) == name
        assert len(name) <= 63
        with pytest.raises(ProjectNameError):
            check_project_name(name)
    assert check_holder("a") == "a"
    for wrong in ("@a", "@" + "A" * 48, "@" + "a" * 48 + "\n", "", "A"):
        with pytest.raises(ProjectNameError):
            check_holder(wrong)


def test_a_start_says_with_a_mark_that_its_kernel_is_for_one_person() -> None:
    assert wanted_project("demo") == ("demo", False)
    assert wanted_project("@demo") == ("demo", True)
    for wrong in ("@", "@@demo", "@Demo", "", holder_of("demo", "ann") + "0" * 20):
        with pytest.raises(ProjectNameError):
            wanted_project(wrong)


def test_tickets_are_of_one_person_too() -> None:
    tickets = KernelTickets(b"x" * 32)
    ticket = KernelTicket("k", holder_of("demo", "ann"), Role.EDITOR, "ann", "demo/a", "python", 3)
    assert tickets.verify(tickets.issue(ticket, 60)) == ticket
