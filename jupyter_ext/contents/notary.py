"""The notary of a shared server."""

from __future__ import annotations

from collections.abc import Iterator
from hmac import HMAC
from typing import Any

from nbformat import NotebookNode
from nbformat.sign import NotebookNotary, signature_removed


class FleetNotary(NotebookNotary):
    """Signs a notebook so that nobody else can make another one of the same signature."""

    def compute_signature(self, nb: Any) -> str:
        """HMAC of the notebook, in hex.

        The stock signature is that of all texts in it, one after the other: it stays the same when
        somebody cuts them in other places and makes an output of what I trusted as a source.
        """
        hmac = HMAC(self.secret, digestmod=self.digestmod)
        with signature_removed(nb):
            for piece in pieces(nb):
                hmac.update(piece)
        return hmac.hexdigest()

    def mark_cells(self, nb: Any, trusted: bool) -> None:
        """Say of every code cell whether it is trusted, whatever the file says of any cell."""
        for cell in nb.get("cells", ()):
            if not isinstance(cell.get("metadata"), dict):
                cell["metadata"] = NotebookNode()
            cell["metadata"].pop("trusted", None)
        super().mark_cells(nb, trusted)


def pieces(value: Any) -> Iterator[bytes]:
    """A JSON value as bytes that no other value has: each part says how long it is."""
    if isinstance(value, dict):
        yield b"{%d" % len(value)
        for name in sorted(value):
            yield from pieces(name)
            yield from pieces(value[name])
    elif isinstance(value, list | tuple):
        yield b"[%d" % len(value)
        for part in value:
            yield from pieces(part)
    elif isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        yield b'"%d:' % len(text)
        yield text
    else:
        yield b"=%r;" % (value,)
