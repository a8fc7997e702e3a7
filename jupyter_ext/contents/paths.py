"""Paths of the contents API: `<project>/<folder>/…/<name>`."""

from dataclasses import dataclass

from jupyter_ext.contents.errors import BadInput
from jupyter_ext.platform.projects import ProjectNameError, check_project_name

MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 1024
"""So that a path fits into the 2 KB of metadata that S3 keeps with an object."""
MAX_DEPTH = 40
"""A path is looked up in one query with a join per name; databases join about 60 tables."""


@dataclass(frozen=True)
class ContentPath:
    """A checked path. The root has an empty project; a project's folder has no names."""

    project: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return "/".join((self.project, *self.names)).strip("/")

    @property
    def is_root(self) -> bool:
        return not self.project

    @property
    def is_project(self) -> bool:
        return bool(self.project) and not self.names

    @property
    def name(self) -> str:
        """The last name; for the root, the empty string."""
        return self.names[-1] if self.names else self.project

    @property
    def parent(self) -> "ContentPath":
        """The enclosing folder; the root is its own parent."""
        if self.names:
            return ContentPath(self.project, self.names[:-1])
        return ContentPath("", ())

    def child(self, name: str) -> "ContentPath":
        """The path of an entry of this folder; raises BadInput for a bad name."""
        return parse(f"{self}/{name}")


def parse(path: str) -> ContentPath:
    """Parse and check an API path; slashes at either end are ignored.

    Raises BadInput, which says what is wrong: an empty name, `.` or `..`, NUL, a name or path that
    is too long or cannot be encoded in UTF-8, or a first folder that is not a valid project name.
    """
    shown = ascii(path if len(path) < 200 else path[:200] + "…")
    stripped = path.strip("/")
    if not stripped:
        return ContentPath("", ())
    try:
        size = len(stripped.encode())
    except UnicodeEncodeError:
        raise BadInput(f"the path {shown} is not valid Unicode") from None
    if "\0" in stripped:
        raise BadInput(f"the path {shown} contains a NUL character")
    names = stripped.split("/")
    for name in names:
        if not name:
            raise BadInput(f"the path {shown} contains an empty name (two slashes)")
        if name in (".", ".."):
            raise BadInput(f"the path {shown} contains {name!r}: write the path out")
        if len(name.encode()) > MAX_NAME_BYTES:
            raise BadInput(f"a name may have {MAX_NAME_BYTES} bytes at most: {shown}")
    if size > MAX_PATH_BYTES:
        raise BadInput(f"a path may have {MAX_PATH_BYTES} bytes at most: {shown}")
    if len(names) > MAX_DEPTH:
        raise BadInput(f"a path may have {MAX_DEPTH} names at most: {shown}")
    try:
        check_project_name(names[0])
    except ProjectNameError as error:
        raise BadInput(f"the path {shown} does not begin with a project: {error}") from None
    return ContentPath(names[0], tuple(names[1:]))


def is_hidden(path: ContentPath) -> bool:
    """Whether a name in the path begins with a dot, which hides it as on Unix."""
    return any(name.startswith(".") for name in path.names)
