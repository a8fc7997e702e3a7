"""Where the documents of kernels are now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from jupyter_ext.sessions.paths import Document, present_path
from jupyter_ext.sessions.tables import ENDING, kernel_start, personal_session


def with_present_paths(
    connection: Connection, kernels: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The models of kernels, which gateways know by the path that each was started for, with the
    present paths of their documents."""
    ids = [one["id"] for one in kernels]
    people = {one["only_for"] for one in kernels if one.get("only_for") is not None}
    documents: dict[str, list[Document]] = {}
    for table, which in (
        (kernel_start, kernel_start.c.state != ENDING),
        (personal_session, personal_session.c.username.in_(people)),
    ):
        query = select(table.c.kernel_id, table.c.path, table.c.type)
        query = query.where(which, table.c.kernel_id.in_(ids)).order_by(table.c.document)
        for row in connection.execute(query):
            documents.setdefault(row.kernel_id, []).append(Document(row.path, row.type))
    return [
        {**one, "path": present_path(one.get("path", ""), documents.get(one["id"], ()))}
        for one in kernels
    ]
