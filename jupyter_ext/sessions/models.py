"""Session models, as Jupyter's REST API has them."""

from __future__ import annotations

from typing import Any

from jupyter_ext.sessions.store.session_rows import Session


def session_model(session: Session, kernel: dict[str, Any]) -> dict[str, Any]:
    """The model of a session and its kernel: Jupyter's fields, its creator and project, the current
    path of its document, which the page may not know yet, and the id of the kernel that it goes
    back to if the present one cannot be started."""
    model = {
        "id": session.id,
        "path": session.shown_path,
        "name": session.name,
        "type": session.type,
        "kernel": kernel,
        "username": session.username,
        "project": session.project,
        "document_path": session.path,
        "former_kernel": session.former_kernel,
    }
    if session.type == "notebook":
        # Deprecated upstream, still read by old clients.
        model["notebook"] = {"path": session.shown_path, "name": session.name}
    return model
