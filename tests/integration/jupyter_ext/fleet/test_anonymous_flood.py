"""A flood of strangers at the front of a running fleet: those who are signed in work on."""

import json
import statistics
import subprocess
import sys
import time

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import REPOSITORY, Client
from tests.integration.jupyter_ext.fleet.conftest import FleetUnderTest

SECONDS = 30
MOST_API_MS, MOST_CELL_MS = 250.0, 1000.0
FORGED = f"Cookie: jupyter-fleet-session={'x' * 43}"


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("header", ["", FORGED], ids=["nothing", "forged"])
def test_a_flood_of_strangers_slows_nobody_who_is_signed_in(
    running_fleet: FleetUnderTest, capsys: pytest.CaptureFixture[str], header: str
) -> None:
    url = f"http://127.0.0.1:{running_fleet.port}"
    client = Client(running_fleet.run("token", "ada", "--project", "demo=owner").strip())
    body = {"path": "demo/a.ipynb", "name": "", "type": "notebook", "kernel": {"name": "python"}}
    session = client.call("POST", f"{url}/api/sessions", json=body).json()
    with client.channels(url, session["kernel"]["id"]) as channels:
        assert channels.run("print(6 * 7)") == "42\n"
        flood = subprocess.Popen(
            [
                sys.executable,
                *("-m", "tests.integration.jupyter_ext.fleet.flood"),
                *(str(running_fleet.port), str(SECONDS), header),
            ],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )
        api, cells = [], []
        while flood.poll() is None:
            api.append(milliseconds(lambda: client.call("GET", f"{url}/api/contents/demo")))
            cells.append(milliseconds(lambda: channels.run("print(6 * 7)")))
        long = {"type": "file", "format": "text", "content": "x" * 5_000_000}
        saved = client.call("PUT", f"{url}/api/contents/demo/long.txt", json=long)
        assert saved.status_code in (200, 201), saved.text
    sent = json.loads(flood.stdout.read())  # type: ignore[union-attr]
    figures = {
        "calls": len(api),
        "api, p95": statistics.quantiles(api, n=20)[18],
        "api, highest": max(api),
        "cell, median": statistics.median(cells),
        "cell, highest": max(cells),
    }
    with capsys.disabled():
        print("\nflood:", sent, {name: round(value) for name, value in figures.items()})
    assert client.call("DELETE", f"{url}/api/sessions/{session['id']}").status_code == 204
    assert sum(count for name, count in sent.items() if name.startswith("socket")) > 5_000
    assert sent["half"] >= 2_000
    assert figures["api, p95"] < MOST_API_MS
    assert figures["cell, highest"] < MOST_CELL_MS


def milliseconds(act) -> float:  # type: ignore[no-untyped-def]
    begun = time.monotonic()
    act()
    return 1000 * (time.monotonic() - begun)
