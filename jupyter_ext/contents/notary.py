"""The notary of a shared server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from hmac import HMAC
from itertools import chain
from typing import Any

from nbformat import NotebookNode
from nbformat.sign import NotebookNotary, signature_removed

from jupyter_ext.contents import widget_state


class Trust(Enum):
    """Which parts of a notebook a user trusts."""

    NOTHING = "nothing"
    CELLS = "cells"
    """The outputs, but not the widget state, which was hidden from the user."""
    ALL = "all"


@dataclass(frozen=True)
class Digests:
    """The signatures of one notebook, in hex: of the stored form, and of the form for pages that do
    not trust its widget state. Without widget state they are the same."""

    stored: str
    hidden: str


class FleetNotary(NotebookNotary):
    """Signs notebooks so that nobody can construct another one with the same signature.

    Computing a signature takes time and needs no store; `trust_of` and `remember` use the store.
    """

    def compute_signature(self, nb: Any) -> str:
        """HMAC of the notebook, in hex.

        The stock signature covers the concatenation of all texts in the notebook. It stays the same
        if somebody divides the texts differently, so that trusted source becomes an output.
        """
        hmac = HMAC(self.secret, digestmod=self.digestmod)
        with signature_removed(nb):
            for piece in pieces(nb):
                hmac.update(piece)
        return hmac.hexdigest()

    def digests(self, nb: Any) -> Digests:
        """The signatures of a stored notebook, whose widget state is not hidden."""
        stored = self.compute_signature(nb)
        if not widget_state.hide(nb):
            return Digests(stored, stored)
        try:
            return Digests(stored, self.compute_signature(nb))
        finally:
            widget_state.put_back(nb)

    def to_sign(self, nb: Any, *, widgets_seen: bool) -> str | None:
        """The signature for a save by a page; None if the page does not trust every cell.

        Removes the page's trust marks from the cells. Without `widgets_seen` the signature does not
        cover the widget state, which was hidden from the page.
        """
        if not self.check_cells(nb):
            return None
        return self.compute_signature(nb) if widgets_seen else self.digests(nb).hidden

    def to_trust(self, nb: Any) -> str:
        """The signature of a stored notebook for a user who trusts all of it; ignores trust marks
        in the file."""
        self.mark_cells(nb, True)
        # Takes the marks out again.
        self.check_cells(nb)
        return self.compute_signature(nb)

    def trust_of(self, digests: Digests) -> Trust:
        """Which parts of the notebook with these signatures the user trusts."""
        if self.store.check_signature(digests.stored, self.algorithm):
            return Trust.ALL
        if digests.hidden != digests.stored and self.store.check_signature(
            digests.hidden, self.algorithm
        ):
            return Trust.CELLS
        return Trust.NOTHING

    def remember(self, signature: str) -> None:
        """Record that the user trusts the notebook with this signature."""
        self.store.store_signature(signature, self.algorithm)

    def show(self, nb: Any, trust: Trust) -> None:
        """Prepare a stored notebook for the page of a user with this trust."""
        self.mark_cells(nb, trust is not Trust.NOTHING)
        if trust is not Trust.ALL:
            widget_state.hide(nb)

    def mark_cells(self, nb: Any, trusted: bool) -> None:
        """Mark every code cell as trusted or not; ignores trust marks in the file."""
        for cell in nb.get("cells", ()):
            if not isinstance(cell.get("metadata"), dict):
                cell["metadata"] = NotebookNode()
            cell["metadata"].pop("trusted", None)
        super().mark_cells(nb, trusted)


def pieces(value: Any) -> Iterator[bytes]:
    """Encode a JSON value unambiguously: each part is preceded by its length.

    Takes time linear in the number of values, however deep they are nested.
    """
    # Not recursive: with nested generators, each piece would pass through all levels.
    open_values: list[Iterator[Any]] = [iter((value,))]
    while open_values:
        for part in open_values[-1]:
            if isinstance(part, dict):
                yield b"{%d" % len(part)
                open_values.append(_members(part))
                break
            if isinstance(part, list | tuple):
                yield b"[%d" % len(part)
                open_values.append(iter(part))
                break
            if isinstance(part, str):
                text = part.encode("utf-8", "surrogatepass")
                yield b'"%d:' % len(text)
                yield text
            else:
                yield b"=%r;" % (part,)
        else:
            open_values.pop()


def _members(value: dict[Any, Any]) -> Iterator[Any]:
    return chain.from_iterable((name, value[name]) for name in sorted(value))
