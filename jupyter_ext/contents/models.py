"""Models of the contents API: the JSON of its responses."""

from collections.abc import Iterable
from typing import Any

from nbformat.v4 import new_notebook

from jupyter_ext.contents.bodies import Decoded
from jupyter_ext.contents.paths import ContentPath
from jupyter_ext.contents.tree import Node, Version

HASH_ALGORITHM = "sha256"


def api_type(path: ContentPath, node: Node) -> str:
    """`directory`, `notebook` or `file`."""
    if node.is_directory:
        return "directory"
    return "notebook" if path.name.endswith(".ipynb") else "file"


def model_of(
    path: ContentPath, node: Node, *, writable: bool, type: str | None = None
) -> dict[str, Any]:
    """A model without content. Times are aware datetimes, `size` is in bytes."""
    version = node.version
    return {
        "name": path.name,
        "path": str(path),
        "type": type or api_type(path, node),
        "created": node.created,
        "last_modified": node.modified,
        "content": None,
        "format": None,
        "mimetype": None,
        "size": version.size if version else None,
        "writable": writable,
        "hash": version.hash if version else None,
        "hash_algorithm": HASH_ALGORITHM if version else None,
        "version": version.id if version else None,
    }


def empty(type: str) -> dict[str, Any]:
    """The model to save for a new `notebook` or `file`."""
    if type == "notebook":
        return {"type": type, "content": new_notebook(), "format": "json"}
    return {"type": type, "content": "", "format": "text"}


def with_content(model: dict[str, Any], decoded: Decoded) -> dict[str, Any]:
    """The model with the content of its file, and the validation message, if any."""
    filled = {
        **model,
        "content": decoded.content,
        "format": decoded.format,
        "mimetype": decoded.mimetype,
    }
    if decoded.message is not None:
        filled["message"] = decoded.message
    return filled


def with_entries(model: dict[str, Any], entries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The model of a folder with the models of what is in it."""
    return {**model, "content": list(entries), "format": "json"}


def checkpoint_of(version: Version) -> dict[str, Any]:
    """The model of a checkpoint."""
    return {"id": version.id, "last_modified": version.checkpointed}


def version_of(version: Version) -> dict[str, Any]:
    """One entry of a file's history: a version."""
    return {
        "version": version.id,
        "base_version": version.base_id,
        "created": version.created,
        "saved_by": version.author,
        "size": version.size,
        "hash": version.hash,
        "hash_algorithm": HASH_ALGORITHM,
    }
