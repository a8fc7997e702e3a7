"""What a caller may do with a path."""

from jupyter_ext.contents.errors import Forbidden, NotFound
from jupyter_ext.contents.paths import ContentPath
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity


def may_enter(identity: Identity | None, project: str) -> bool:
    """Whether the caller may see that the project exists."""
    return identity is not None and identity.role(project) is not None


def require(identity: Identity | None, path: ContentPath, role: Role) -> Identity:
    """The identity, if it has `role` in the project of `path`.

    Raises NotFound if the caller has no role in the project (whether or not it exists), and
    Forbidden if the role is too low.
    """
    if identity is None or not may_enter(identity, path.project):
        raise NotFound(f"there is no project {path.project!r} that you may see")
    if not identity.may(path.project, role):
        raise Forbidden(
            f"you are {identity.role(path.project)} of project {path.project!r}; "
            f"this needs the role {role}",
        )
    return identity
