"""How notebooks are written to files: as nbformat does, in time linear in their size."""

from __future__ import annotations

from typing import Any

import nbformat

from jupyter_ext.platform.big_json import BigEncoder


class NotebookEncoder(BigEncoder):
    """Replaces nbformat's encoder, whose time grows with the depth of each value."""

    def default(self, o: Any) -> Any:
        """Bytes are ASCII."""
        return o.decode("ascii") if isinstance(o, bytes) else super().default(o)


def install() -> None:
    """Replace nbformat's encoder in this process; its writers have no argument for another one."""
    for version in (nbformat.v2, nbformat.v3, nbformat.v4):
        version.nbjson.BytesEncoder = NotebookEncoder
