"""Folders of themes are searched for off the event loop, and rarely."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext import themes_handler
from jupyter_ext.themes_handler import FleetThemesHandler, ThemeFolders


async def test_many_requests_search_the_disk_once_and_on_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theme = tmp_path / "extensions" / "@a" / "dark" / "themes"
    theme.mkdir(parents=True)
    searched: list[threading.Thread] = []
    stock = themes_handler.glob

    def watched(*arguments: Any, **more: Any) -> list[str]:
        searched.append(threading.current_thread())
        return stock(*arguments, **more)

    monkeypatch.setattr(themes_handler, "glob", watched)
    themes = ThemeFolders([str(tmp_path / "extensions")], "/own/themes")
    found = await asyncio.gather(*(themes.folders() for _ in range(10)))
    assert found == [[str(theme), "/own/themes"]] * 10
    assert len(searched) == 1
    assert searched[0] is not threading.main_thread()


async def test_themes_that_are_installed_later_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(themes_handler, "LOOK_AGAIN_SECONDS", 0.0)
    themes = ThemeFolders([str(tmp_path)], "/own/themes")
    assert await themes.folders() == ["/own/themes"]
    (tmp_path / "new" / "themes").mkdir(parents=True)
    assert await themes.folders() == [str(tmp_path / "new" / "themes"), "/own/themes"]


async def test_without_a_folder_of_its_own_nothing_else_is_served(tmp_path: Path) -> None:
    assert await ThemeFolders([str(tmp_path)], "").folders() == []


def test_making_a_handler_searches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []
    monkeypatch.setattr("jupyterlab_server.themes_handler.glob", searched.append)
    handler = FleetThemesHandler.__new__(FleetThemesHandler)
    handler.initialize(ThemeFolders(["/extensions"], "/own/themes"), themes_url="/themes")
    assert searched == []
