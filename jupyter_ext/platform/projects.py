"""Project names, and the project that a path belongs to."""

from __future__ import annotations

import re

PROJECT_NAME = re.compile(r"^[a-z0-9][a-z0-9_-]{0,62}\Z")
"""A project's name: it is a folder, an object key prefix, a Kubernetes label and part of a URL."""


class ProjectNameError(ValueError):
    """An invalid project name; the text says which names are valid."""


class ProjectPathError(ValueError):
    """A path that cannot be in any project."""


def check_project_name(name: str) -> str:
    """Return ``name`` if it is a valid project name, else raise `ProjectNameError`."""
    if not PROJECT_NAME.match(name):
        raise ProjectNameError(
            f"{name!r} is not a project name: use up to 63 lower-case letters, digits, '-' and '_',"
            " starting with a letter or a digit"
        )
    return name


def split_path(path: str) -> tuple[str, str]:
    """Split ``/<project>/<rest>`` into the project's name and the rest, without outer slashes.

    The root gives ``("", "")``. Doubled slashes count as one, as they do in Jupyter. Raises
    `ProjectNameError` if the first folder cannot be a project, and `ProjectPathError` if the path
    contains ``.`` or ``..`` as a name, or a NUL.
    """
    if "\0" in path:
        raise ProjectPathError("a path cannot contain a NUL character")
    names = [name for name in path.split("/") if name]
    for name in names:
        if name in (".", ".."):
            raise ProjectPathError(
                f"{path!r} contains {name!r}: write the path out from its project"
            )
    if not names:
        return "", ""
    return check_project_name(names[0]), "/".join(names[1:])
