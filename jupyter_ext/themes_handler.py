"""`/lab/api/themes`: the files of JupyterLab's themes and of those that extensions bring.

It is open to everybody. The stock handler searches all folders of extensions for each request, on
the event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from glob import glob
from typing import Any

from jupyterlab_server.themes_handler import ThemesHandler

LOOK_AGAIN_SECONDS = 5.0
"""Minimum time between two searches of the disk for new themes."""


class ThemeFolders:
    """The folders with themes: those of extensions first, JupyterLab's own `themes_dir` last."""

    def __init__(self, labextensions_path: Sequence[str], themes_dir: str) -> None:
        self._labextensions_path = tuple(labextensions_path)
        self._themes_dir = themes_dir
        self._found: list[str] = []
        self._look_again = 0.0
        self._searching = asyncio.Lock()

    async def folders(self) -> list[str]:
        """The folders, found on a thread at most every LOOK_AGAIN_SECONDS."""
        async with self._searching:
            if time.monotonic() >= self._look_again:
                self._found = await asyncio.to_thread(self._search)
                self._look_again = time.monotonic() + LOOK_AGAIN_SECONDS
            return self._found

    def _search(self) -> list[str]:
        patterns = (f"{folder}/**/themes" for folder in self._labextensions_path)
        found = [path for pattern in patterns for path in glob(pattern, recursive=True)]
        # An empty path would be the working directory.
        return [*found, self._themes_dir] if self._themes_dir else found


class FleetThemesHandler(ThemesHandler):
    """The stock handler, but it finds its folders on a thread before it answers."""

    def initialize(self, folders: ThemeFolders, **arguments: Any) -> None:  # type: ignore[override]
        """Accept the stock handler's arguments, except for its folders."""
        self._folders = folders
        self._arguments = arguments
        # Without `labextensions_path` there is nothing to search.
        super().initialize(path=[], **arguments)

    async def prepare(self) -> None:  # type: ignore[override]
        """Find the folders, after the route policy has allowed the request."""
        await super().prepare()
        super().initialize(path=await self._folders.folders(), **self._arguments)
