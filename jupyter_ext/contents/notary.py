"""The notary of a shared server."""

from __future__ import annotations

import json
from hmac import HMAC
from typing import Any

from nbformat import NotebookNode
from nbformat.sign import NotebookNotary, signature_removed

_ENCODER = json.JSONEncoder(sort_keys=True)


class FleetNotary(NotebookNotary):
    """Signs a notebook so that nobody else can make another one of the same signature."""

    def compute_signature(self, nb: Any) -> str:
        """HMAC of the notebook's JSON, in hex.

        The stock signature is that of all its texts, one after the other: it stays the same when
        somebody cuts them in other places and makes an output of what I trusted as a source.
        """
        hmac = HMAC(self.secret, digestmod=self.digestmod)
        with signature_removed(nb):
            # Piece by piece, so that other threads run in between.
            for piece in _ENCODER.iterencode(nb):
                hmac.update(piece.encode())
        return hmac.hexdigest()

    def mark_cells(self, nb: Any, trusted: bool) -> None:
        """Say of every code cell whether it is trusted, whatever the file says of any cell."""
        for cell in nb.get("cells", ()):
            if not isinstance(cell.get("metadata"), dict):
                cell["metadata"] = NotebookNode()
            cell["metadata"].pop("trusted", None)
        super().mark_cells(nb, trusted)
