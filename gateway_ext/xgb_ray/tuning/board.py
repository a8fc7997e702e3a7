"""Messages between Ray Tune's loop and those that watch a search."""

from __future__ import annotations

import threading
from typing import Any


class Board:
    """How far each trial is, by its id, which
    have a metric whose model is not saved yet, and whether to stop."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.unsaved: set[str] = set()
        self.stop = threading.Event()

    def __reduce__(self) -> tuple[Any, ...]:
        # Ray Tune writes its whole set-up to disk, where nobody needs this.
        return Board, ()
