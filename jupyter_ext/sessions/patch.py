"""How a PATCH changes a session."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace

from jupyter_ext.kernels.launch_rules import NO_CHOICE, Choice
from jupyter_ext.sessions.paths import is_placeholder, real_path
from jupyter_ext.sessions.store.session_rows import Session


@dataclass(frozen=True)
class SessionPatch:
    """The fields that a page sent; None for those that it did not."""

    path: str | None = None
    name: str | None = None
    type: str | None = None


@dataclass(frozen=True)
class SessionChange(SessionPatch):
    """The same, and which kernel the session is to have: `kernel_id`, one that there is, or
    `kernel_name`, a new one with what `choice` says."""

    kernel_id: str | None = None
    kernel_name: str | None = None
    choice: Choice = NO_CHOICE


def posted(session: Session, patch: SessionPatch) -> Session:
    """As the page knows it, which adopts the path of the answer."""
    return session if patch.path is None else replace(session, shown_path=patch.path)


def patched(old: Session, patch: SessionPatch) -> Session:
    """The session with the given fields, in its old project.

    JupyterLab sends `path` and `name` of a rename in two requests at once: both orders end in the
    same session.
    """
    new = replace(old, name=patch.name or old.name, type=patch.type or old.type)
    waiting = is_placeholder(old.shown_path)
    if patch.path is None:
        if not waiting or new.name == old.name:
            return new
        # The placeholder represents a document with that name.
        placeholder = posixpath.join(posixpath.dirname(old.path), old.shown_path.rpartition("/")[2])
        return replace(new, path=real_path(placeholder, new.name, new.type))
    path = real_path(patch.path, new.name, new.type)
    if waiting and path == real_path(old.shown_path, old.name, old.type):
        # The path that the placeholder stood for. If the document was renamed meanwhile the page
        # does not know it yet: it is shown the new path when it next asks.
        shown = patch.path if path == old.path else old.path
        return replace(new, path=old.path, shown_path=shown)
    return replace(new, path=path, shown_path=patch.path)
