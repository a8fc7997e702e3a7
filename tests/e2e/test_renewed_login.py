"""A page that is open for longer than a token, which its platform renews: nobody notices."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import expect

from tests.e2e.conftest import OpenPage
from tests.e2e.lab_page import wait_for
from tests.e2e.running_fleet import Fleet
from tests.servers.scripted_platform import ScriptedPlatform

LIFE = 40
"""Seconds; half of it must be enough for a loaded machine to open a notebook."""

pytestmark = [pytest.mark.long, pytest.mark.timeout(270)]


@pytest.fixture
def platform(fleet: Fleet, tmp_path: Path) -> Iterator[ScriptedPlatform]:
    """One that the fleet's key file names."""
    platform = ScriptedPlatform(tmp_path)
    platform.life = LIFE
    keys = fleet.data_dir / "secrets" / "jwks.json"
    before = keys.read_text()
    issuer = platform.issuer(renew_url=f"{platform.url}/renew")
    replace(keys, json.dumps({**json.loads(before), "issuers": [issuer]}))
    try:
        yield platform
    finally:
        replace(keys, before)
        platform.stop()


def replace(file: Path, text: str) -> None:
    new = file.with_name("jwks.new")
    new.write_text(text)
    new.chmod(0o600)
    new.replace(file)


def test_a_page_is_open_for_longer_than_a_token_and_nobody_signs_in_again(
    fleet: Fleet, platform: ScriptedPlatform, signed_in: OpenPage, end: Path
) -> None:
    probe = {"Authorization": f"Bearer {platform.sign('probe', 60)}"}
    for server in (*fleet.processes("lab"), *fleet.processes("gateway")):
        url = f"{server.url}/api/kernels"
        wait_for("its keys", lambda url=url: requests.get(url, headers=probe).ok, 60)
    page = signed_in(fleet.url, platform.sign("ann", LIFE, demo="owner"))
    began = time.monotonic()
    page.open_path("demo")
    page.new_notebook()
    page.mark()
    page.run(
        0,
        "import os, time; i = 0\n"
        f"while not os.path.exists('{end}'): print('line', i, flush=True); i += 1; time.sleep(0.1)",
    )
    wait_for("the first line", lambda: "line 0" in page.output(0), 60)
    wait_for("the third token", lambda: time.monotonic() - began > 2 * LIFE + 5, 3 * LIFE)
    expect(page.dialog).to_have_count(0)
    before = page.output(0).count("line")
    wait_for("lines to come on", lambda: page.output(0).count("line") > before + 5, 60)
    end.touch()
    wait_for("the reply of the cell", lambda: page.has_reply(0), 60)
    assert page.evaluate(1, "print(6 * 7)") == "42"
    assert not page.reloaded
    assert len(platform.asked("POST", "/renew")) >= 2
