"""Kernels that are one person's alone: who may do what with them, and how what is theirs is kept
apart from what is the project's."""

from __future__ import annotations

import hashlib
import re
from enum import Enum

from jupyter_ext.platform.projects import check_project_name
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity

MARK = "@"
"""With which no project's name begins: a server that knows projects only refuses what has it."""
_HOLDER = re.compile(rf"{MARK}[0-9a-f]{{48}}\Z")


class Deed(Enum):
    """What somebody may do with another person's kernel, or not."""

    SEE = "see"
    """Learn that it exists."""
    END = "end"
    USE = "use"
    """Everything else: run code, read what it says, interrupt, restart."""


def allows(identity: Identity, project: str, person: str | None, deed: Deed) -> bool:
    """Whether whose kernel it is permits this to the caller, who needs a role in its project beside
    that. `person` is whose alone it is, None for a kernel of the whole project.

    Owners of the project, and our own servers, for operators, see that there is one and end it.
    """
    if person is None or (identity.service is None and identity.user == person):
        return True
    return deed in (Deed.SEE, Deed.END) and identity.may(project, Role.OWNER)


def holder_of(project: str, person: str | None) -> str:
    """The name under which user ids, folders and rows of a project are kept, or those of one person
    in it. The latter is no project's name: nobody has a role in it."""
    if person is None:
        return project
    return MARK + hashlib.sha256(f"{project}\0{person}".encode()).hexdigest()[:48]


def check_holder(name: str) -> str:
    """The name, if `holder_of` may have made it; raises ProjectNameError."""
    return name if _HOLDER.match(name) else check_project_name(name)


def is_personal(holder: str) -> bool:
    """Whether a name of `holder_of` is of one person."""
    return holder.startswith(MARK)


def wanted_project(text: str) -> tuple[str, bool]:
    """The project that a start names, and whether its caller wants the kernel alone, which a mark
    before the name says: a gateway of the version before refuses that, and starts no kernel for
    all. Raises ProjectNameError."""
    personal = text.startswith(MARK)
    return check_project_name(text.removeprefix(MARK)), personal
