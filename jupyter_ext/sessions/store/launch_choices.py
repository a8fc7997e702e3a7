"""With which launch options kernels were started last: by user, and for each document."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from jupyter_ext.database.engine import now_utc
from jupyter_ext.launch_options.shown import kept_options, shown_options, with_own_values
from jupyter_ext.sessions.paths import Document, moved_path
from jupyter_ext.sessions.tables import document_launch_choice, user_launch_choice

_KEPT_TYPES = ("notebook", "file")


def kept_document(document: Document) -> str:
    """The path of a document whose choice is kept, empty for one that nobody opens again."""
    return document.path if document.type in _KEPT_TYPES else ""


def keep(
    connection: Connection,
    *,
    username: str,
    kernel_name: str,
    path: str,
    options: Mapping[str, Any],
) -> None:
    """Writes the options of an accepted start: for the user, and for all editors of the document.
    `path` is empty if it is for no document."""
    changed = now_utc(connection)
    of_user = {"options": kept_options(options), "changed": changed}
    key = {"username": username, "kernel_name": kernel_name}
    _put(connection, user_launch_choice, key, of_user)
    if path:
        key = {"document": _key(path), "kernel_name": kernel_name}
        of_document = {
            "options": shown_options(options),
            "changed": changed,
            "project": path.partition("/")[0],
            "path": path,
        }
        _put(connection, document_launch_choice, key, of_document)


def choices(
    connection: Connection, *, username: str, kernel_name: str, path: str
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The user's last options for a kernelspec, and the document's, with the user's own values of
    variables; None where there are none."""
    of_user, of_document = user_launch_choice.c, document_launch_choice.c
    user = connection.execute(
        select(of_user.options).where(
            of_user.username == username, of_user.kernel_name == kernel_name
        )
    ).scalar_one_or_none()
    document = connection.execute(
        select(of_document.options).where(
            of_document.document == _key(path), of_document.kernel_name == kernel_name
        )
    ).scalar_one_or_none()
    if user is not None and document is not None:
        document = with_own_values(document, user)
    return user, document


def move(connection: Connection, old: str, new: str) -> None:
    """Takes the choices of documents along when `old`, a file or a folder, is renamed to `new`. In
    another project, which may choose otherwise, there is none."""
    table = document_launch_choice
    project = old.partition("/")[0]
    rows = connection.execute(_at_or_below(old).with_for_update()).all()
    for row in rows:
        target = moved_path(row.path, old, new) or row.path
        here = _is(table, {"document": row.document, "kernel_name": row.kernel_name})
        there = {"document": _key(target), "kernel_name": row.kernel_name}
        if project != new.partition("/")[0]:
            connection.execute(delete(table).where(here))
            continue
        # Of a file that was deleted or overwritten.
        connection.execute(delete(table).where(_is(table, there)))
        connection.execute(update(table).where(here).values(path=target, **there))


def forget_documents(connection: Connection, path: str) -> None:
    """Deletes the choices of a document, or of all in a folder, when that is deleted."""
    table = document_launch_choice
    for row in connection.execute(_at_or_below(path)).all():
        key = {"document": row.document, "kernel_name": row.kernel_name}
        connection.execute(delete(table).where(_is(table, key)))


def _at_or_below(path: str) -> Select[tuple[str, str, str]]:
    """Selects keys and paths of the choices of a document, or of all in a folder, in one order."""
    table = document_launch_choice
    # Paths are ordered by their bytes, and "0" is the one after "/".
    below = (table.c.path > f"{path}/") & (table.c.path < f"{path}0")
    return (
        select(table.c.document, table.c.kernel_name, table.c.path)
        .where(table.c.project == path.partition("/")[0], (table.c.path == path) | below)
        .order_by(table.c.document, table.c.kernel_name)
    )


def _key(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()


def _is(table: Table, key: Mapping[str, str]) -> Any:
    names = list(key)
    condition = table.c[names[0]] == key[names[0]]
    for name in names[1:]:
        condition &= table.c[name] == key[name]
    return condition


def _put(
    connection: Connection, table: Table, key: Mapping[str, str], values: Mapping[str, Any]
) -> None:
    where = _is(table, key)
    held = connection.execute(select(table.c.changed).where(where).with_for_update())
    if held.one_or_none() is not None:
        connection.execute(update(table).where(where).values(**values))
        return
    with contextlib.suppress(IntegrityError), connection.begin_nested():
        # Whoever inserted it just now was as good.
        connection.execute(insert(table).values(**key, **values))
