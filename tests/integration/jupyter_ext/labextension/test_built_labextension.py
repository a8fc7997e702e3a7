"""The built labextension, and a browser with it on a server that has no fleet."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import expect, sync_playwright

from tests.e2e.chromium import launch
from tests.e2e.lab_page import LabPage, wait_for
from tests.servers.ports import free_ports

SOURCE = Path(__file__).parents[4] / "labextension"
TOKEN = "stock"

KEEP_SAVES = """
const stock = window.fetch;
window.saves = [];
window.fetch = async request => {
    if (request.method === 'PUT' && request.url.includes('/api/contents/')) {
        window.saves.push(JSON.parse(await request.clone().text()));
    }
    return stock(request);
};
"""
"""For the page: the bodies of saves, which the browser does not show to Playwright."""


@pytest.fixture(scope="module")
def built() -> Path:
    dist = SOURCE / "dist"
    assert (dist / "package.json").is_file(), (
        "build the labextension first: jlpm install --immutable && jlpm build:prod"
    )
    return dist


@pytest.fixture
def stock_lab(built: Path, tmp_path: Path) -> Iterator[str]:
    """The URL of a JupyterLab with the labextension and nothing else of the fleet."""
    (port,) = free_ports(1)
    files = tmp_path / "files"
    files.mkdir()
    (files / "note.txt").write_text("start")
    extensions = tmp_path / "labextensions"
    extensions.mkdir()
    (extensions / "jupyter-fleet").symlink_to(built)
    arguments = {
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": files,
        "IdentityProvider.token": TOKEN,
        "LabApp.extra_labextensions_path": extensions,
    }
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).parent / "jupyter-lab"),
                "--allow-root",
                "--no-browser",
                *(f"--{name}={value}" for name, value in arguments.items()),
            ],
            stdout=log,
            stderr=log,
            env={**os.environ, **{name: str(tmp_path / name) for name in folders}},
        )
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, (tmp_path / "log").read_text()
        try:
            return requests.get(f"{url}/api", timeout=2).ok
        except requests.ConnectionError:
            return False

    try:
        wait_for("JupyterLab", answers, 60)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def test_the_build_replaces_stock_plugins_under_the_name_of_its_folder(built: Path) -> None:
    package = json.loads((built / "package.json").read_text())
    assert package["name"] == "jupyter-fleet"
    assert {
        "@jupyterlab/apputils-extension:sessionDialogs",
        "@jupyterlab/console-extension:cell-executor",
        "@jupyterlab/notebook-extension:cell-executor",
        "@jupyterlab/rendermime-extension:plugin",
        "@jupyterlab/services-extension:default-drive",
        "@jupyterlab/services-extension:server-settings",
    } <= set(package["jupyterlab"]["disabledExtensions"])
    assert (built / package["jupyterlab"]["_build"]["load"]).is_file()


def test_the_lock_names_no_registry() -> None:
    assert not re.search(r"https?://", (SOURCE / "yarn.lock").read_text())


def test_a_server_without_the_fleet_sees_a_stock_page(stock_lab: str) -> None:
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page()

        page.on("request", lambda request: asked.append(request.url))
        page.add_init_script(KEEP_SAVES)
        lab = LabPage(page, stock_lab)
        lab.log_in(TOKEN)
        lab.open_path("note.txt")
        expect(lab.editor).to_contain_text("start")
        # The extension is there: the stock drive is off, and somebody provides another.
        config = json.loads(page.locator("#jupyter-config-data").text_content() or "")
        assert "jupyterFleet" not in config
        assert "jupyter-fleet" in [one["name"] for one in config["federated_extensions"]]
        asked.clear()
        lab.write_text("saved")
        lab.save()
        wait_for("the file to be clean", lambda: not lab.dirty, 30)
        saves = page.evaluate("window.saves")
        browser.close()
    assert [sorted(save) for save in saves] == [["content", "format", "path", "type"]]
    assert [url for url in asked if "/api/contents/note.txt?content=0" in url], "the stock check"
