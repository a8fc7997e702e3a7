"""The widget state in a notebook's metadata, which pages load even of an untrusted notebook.

JupyterLab's widget manager creates every model that `metadata.widgets` describes as soon as the
notebook has a kernel, and a model of anywidget imports JavaScript from its own state. A page whose
user does not trust the state therefore gets it under another name, which no widget manager reads,
and sends it back under that name.
"""

from __future__ import annotations

from typing import Any

WIDGETS = "widgets"
"""The metadata key that widget managers read. All of it is hidden, since nothing else reads it."""

HIDDEN = "jupyter-fleet.untrusted-widgets"
"""The metadata key for pages that do not trust the state. It is next to `WIDGETS`, not below it,
because a page that saves widget state replaces everything below `WIDGETS`."""

STATE = "application/vnd.jupyter.widget-state+json"


def hide(notebook: Any) -> bool:
    """Rename a notebook's widget state for a page that does not trust it.

    Returns whether the notebook has any.
    """
    metadata = notebook.get("metadata") or {}
    if WIDGETS not in metadata:
        return False
    metadata[HIDDEN] = metadata.pop(WIDGETS)
    return True


def put_back(notebook: Any) -> bool:
    """Undo `hide` in what a page sends, so that the file has the usual name.

    Returns whether hidden state, which the sender has not seen, was restored. If the page's own
    kernel has widgets and the page saves their state, that replaces the hidden state, as it would
    replace any other. Without widgets the page saves an empty state, which replaces nothing.
    """
    metadata = notebook.get("metadata") or {}
    if HIDDEN not in metadata:
        return False
    hidden = metadata.pop(HIDDEN)
    if _has_models(metadata.get(WIDGETS)):
        return False
    metadata[WIDGETS] = hidden
    return True


def _has_models(widgets: Any) -> bool:
    state = widgets.get(STATE) if isinstance(widgets, dict) else None
    return isinstance(state, dict) and bool(state.get("state"))
